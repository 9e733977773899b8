"""Disconnect clients that send a request's head too slowly or do not read their answer.

uvicorn has no such timeouts. Without them, clients that stall, on purpose or not, would use up connections and memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol


if TYPE_CHECKING:
    import asyncio

HEAD_TIMEOUT: Final = 10.0
"""Seconds for the head of a request to arrive, counted from its first byte or from the start of the connection."""

READ_TIMEOUT: Final = 30.0
"""Seconds that a client may leave sent data unread."""


class TimeoutProtocol(H11Protocol):
    """uvicorn's HTTP protocol with a timeout for request heads and one for unread answers."""

    head_timeout = HEAD_TIMEOUT
    read_timeout = READ_TIMEOUT
    _head: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer for the head of the first request."""
        super().connection_made(transport)
        self._head = self.loop.call_later(self.head_timeout, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Stop the timer when a head is complete, and start it again with the first byte of the next request."""
        super().data_received(data)
        # A request cycle exists once its head is complete. From then on the timeout for bodies, in `app`, applies.
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy and self._head is not None:
            self._head.cancel()
            self._head = None
        elif not busy and self._head is None:
            self._head = self.loop.call_later(self.head_timeout, self.transport.abort)

    def pause_writing(self) -> None:
        """Start the timer for unread data, because the send buffer is full."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.read_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timer, because the client has read some data and the send buffer has room again."""
        super().resume_writing()
        self._stop(self._unread)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop both timers."""
        super().connection_lost(exc)
        self._stop(self._head)
        self._stop(self._unread)

    @staticmethod
    def _stop(timer: Any) -> None:
        if timer is not None:
            timer.cancel()
