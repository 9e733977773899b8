"""Send requests to an OpenAI-compatible endpoint. Only this module knows HTTP."""

from __future__ import annotations

import threading
import time

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import attrs
import httpx

from mem0_exports.deadlines import Deadline, keep_deadlines
from mem0_exports_engine.extract.llm.answers import Answer, read_answer
from mem0_exports_engine.extract.llm.dialects import Dialects
from mem0_exports_engine.extract.llm.problems import CallFailed
from mem0_exports_engine.extract.llm.usage import Usage
from mem0_exports_engine.loopback import is_loopback


if TYPE_CHECKING:
    from collections.abc import Callable

    from mem0_exports.llm import LLM
    from mem0_exports_engine.extract.llm.request import Request

MAX_ANSWER: Final = 16_000_000
"""The most bytes of an answer."""

_MAX_WAIT: Final = 60.0
"""The most seconds that a service can make us wait with Retry-After."""


class Endpoint:
    """An endpoint and what is known about it. Safe to share between threads."""

    def __init__(self, llm: LLM, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._llm = llm
        self._monotonic = monotonic
        self._dialects = Dialects(llm.dialect)
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._is_closed = False

    def ask(self, request: Request, admit: Callable[[], object] = lambda: None) -> Answer:
        """Send a request, and return the answer. Raises CallFailed, and what `admit` raises.

        A parameter that the service does not accept is left out or renamed, and the request is sent again at once.
        `admit` is called before each time that it is sent.
        """
        calls, seconds = 0, 0.0
        while True:
            form = self._dialects.form
            try:
                admit()
            except CallFailed as failed:
                failed.usage = Usage(calls=calls, seconds=seconds)
                raise
            began = self._monotonic()
            try:
                answer = self._send(request, form.body(self._llm, request))
            except CallFailed as failed:
                calls, seconds = calls + 1, seconds + self._monotonic() - began
                failed.usage = attrs.evolve(failed.usage, calls=calls, seconds=seconds)
                if not self._dialects.learn(form, failed):
                    raise
            else:
                self._dialects.works(form)
                calls, seconds = calls + 1, seconds + self._monotonic() - began
                return answer._replace(usage=attrs.evolve(answer.usage, calls=calls, seconds=seconds))

    @property
    def dialect(self) -> str:
        """The dialect that is in use."""
        return self._dialects.form.dialect

    def close(self) -> None:
        """Close the connections. A call that is in progress fails, and no further one can be made."""
        with self._lock:
            self._is_closed = True
            if self._client is not None:
                self._client.close()

    def _send(self, request: Request, body: bytes) -> Answer:
        deadline = self._monotonic() + self._llm.timeout
        try:
            # Each read may take as long as the whole call, but all of them together must not take longer either: a
            # server that sends a byte now and then would never exceed the timeout of httpx.
            with (
                Deadline(deadline),
                self._http().stream(
                    "POST", f"{self._llm.url}/chat/completions", content=body, timeout=self._llm.timeout
                ) as response,
            ):
                text = bytearray()
                for part in response.iter_raw():
                    text += part
                    if len(text) > MAX_ANSWER:
                        raise CallFailed("refused", f"the answer has more than {MAX_ANSWER // 10**6} MB")
                    if self._monotonic() > deadline:
                        raise CallFailed("busy", f"no answer within {self._llm.timeout:g} s")
                status, headers = response.status_code, response.headers
        except httpx.TimeoutException:
            raise CallFailed("busy", f"no answer within {self._llm.timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError) as error:
            raise CallFailed("busy", f"the service cannot be reached: {type(error).__name__}") from None
        return read_answer(status, bytes(text), _retry_after(headers), request.size)

    def _http(self) -> httpx.Client:
        with self._lock:
            if self._is_closed:
                raise CallFailed("fatal", "the engine was closed")
            if self._client is None:
                # A proxy of the environment is for services elsewhere; one on this machine is asked directly.
                trusts = not is_loopback(urlsplit(self._llm.url).hostname or "")
                key = {} if self._llm.api_key is None else {"authorization": f"Bearer {self._llm.api_key}"}
                headers = {
                    "content-type": "application/json",
                    "accept": "application/json",
                    "accept-encoding": "identity",
                }
                limits = httpx.Limits(max_connections=None, max_keepalive_connections=self._llm.concurrency)
                client = httpx.Client(headers={**headers, **key}, limits=limits, trust_env=trusts)
                for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001 -- see keep_deadlines
                    keep_deadlines(transport)
                self._client = client
            return self._client


def _retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds that the service asks us to wait. A date is not read."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(seconds, _MAX_WAIT) if seconds >= 0 else None
