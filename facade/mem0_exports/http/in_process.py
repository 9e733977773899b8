"""Send requests to a transport that answers in this process, such as the embedded engine's.

httpx's own clients would add what only a network needs (cookies, redirects, proxies, authentication), and would log each
request at INFO level, as if it had been sent to a server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx


if TYPE_CHECKING:
    from collections.abc import Mapping


def answers_in_process(transport: object) -> bool:
    """Return whether a transport says that it answers in this process, by an attribute `in_process`."""
    return getattr(transport, "in_process", False) is True


class _Requests:
    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    def build_request(self, *, headers: Mapping[str, str] | None, **options: Any) -> httpx.Request:
        """Return a request with the client's headers and its own."""
        return httpx.Request(headers={**self._headers, **(headers or {})}, **options)


class InProcessClient(_Requests):
    """Takes the place of httpx.Client in a Driver."""

    def __init__(self, headers: Mapping[str, str], transport: httpx.BaseTransport) -> None:
        super().__init__(headers)
        self._transport = transport

    def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        """Return the transport's answer. Its body is not read yet."""
        return self._transport.handle_request(request)

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()


class AsyncInProcessClient(_Requests):
    """Takes the place of httpx.AsyncClient in an AsyncDriver."""

    def __init__(self, headers: Mapping[str, str], transport: httpx.AsyncBaseTransport) -> None:
        super().__init__(headers)
        self._transport = transport

    async def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        """Return the transport's answer. Its body is not read yet."""
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()
