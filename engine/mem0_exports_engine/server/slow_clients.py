"""Takes the connection from clients that are slow with the head of a request, or that do not read their answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol


if TYPE_CHECKING:
    import asyncio

HEAD_TIMEOUT: Final = 10.0
"""Seconds for the head of a request."""

READ_TIMEOUT: Final = 30.0
"""Seconds for which a client may leave its answer unread."""


class TimeoutProtocol(H11Protocol):
    """uvicorn's HTTP, for clients that may be slow on purpose."""

    head_timeout = HEAD_TIMEOUT
    read_timeout = READ_TIMEOUT
    _head: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the head of a request."""
        super().connection_made(transport)
        self._head = self.loop.call_later(self.head_timeout, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Stop waiting for the head when it is complete; begin again with the first byte of the next one."""
        super().data_received(data)
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy and self._head is not None:
            self._head.cancel()
            self._head = None
        elif not busy and self._head is None:
            self._head = self.loop.call_later(self.head_timeout, self.transport.abort)

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.read_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        self._stop(self._unread)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        super().connection_lost(exc)
        self._stop(self._head)
        self._stop(self._unread)

    @staticmethod
    def _stop(timer: Any) -> None:
        if timer is not None:
            timer.cancel()
