"""Make the calls of one export: each answer is kept, failures are repeated if that can help, and caps hold."""

from __future__ import annotations

import threading
import time

from typing import TYPE_CHECKING, Any, Final

from mem0_exports_engine import json_text
from mem0_exports_engine.extract.llm.problems import FINAL, OF_ANSWERS, CallFailed
from mem0_exports_engine.extract.llm.usage import Usage


if TYPE_CHECKING:
    from collections.abc import Callable

    from mem0_exports.llm import LLM
    from mem0_exports_engine.extract.llm.endpoint import Endpoint
    from mem0_exports_engine.extract.llm.request import Request
    from mem0_exports_engine.extraction import Workbench

MAX_ATTEMPTS: Final = 5
"""The most attempts for a call while the service is busy."""

_FIRST_PAUSE: Final = 1.0
"""Seconds before the second attempt. Each further pause is twice as long."""

_MAX_UNREACHABLE: Final = 3
"""After so many calls in a row that were given up because the service was busy, no further call is made."""


class Calls:
    """The calls of one export. Safe to share between threads."""

    def __init__(
        self,
        llm: LLM,
        endpoint: Endpoint,
        bench: Workbench,
        *,
        pause: Callable[[float], object] = time.sleep,
        attempts: int = MAX_ATTEMPTS,
    ) -> None:
        self.usage = Usage()
        """What the calls have taken so far."""
        self.at_once = llm.concurrency
        """How many calls may be made at the same time."""
        self._llm = llm
        self._endpoint = endpoint
        self._bench = bench
        self._pause = pause
        self._attempts = attempts
        self._lock = threading.Lock()
        self._over: CallFailed | None = None
        self._sent = 0
        self._promised = 0
        """The tokens of calls that were sent and not answered yet, at most."""
        self._given_up = 0

    def ask(self, request: Request, is_valid: Callable[[Any], bool]) -> Any:
        """Return the JSON value of an answer for which `is_valid` holds. Raises CallFailed.

        An answer that is kept is not asked for again. One that is not valid is asked for once more, with another seed.
        """
        try:
            return self._answer(request, is_valid)
        except CallFailed as failed:
            if failed.kind != "invalid":
                raise
        return self._answer(request._replace(shift=request.shift + 1), is_valid)

    def _answer(self, request: Request, is_valid: Callable[[Any], bool]) -> Any:
        key = request.key(self._llm)
        kept = self._bench.recall(key) or self._bench.recall(key, of_job=True)
        if kept is not None:
            return self._kept(json_text.read(kept))
        try:
            content, usage = self._endpoint_answer(request)
            if not is_valid(content):
                raise CallFailed("invalid", "the answer is not of the wanted shape", usage=usage)
        except CallFailed as failed:
            # The call was carried out. If the export is interrupted and goes on, it must not be made again. A new export
            # asks again, as the model may answer better.
            if failed.kind in OF_ANSWERS and failed.usage.calls:
                self._bench.keep(key, json_text.dump({"kind": failed.kind, "message": str(failed)}), of_job=True)
            raise
        self._bench.keep(key, json_text.dump({"content": content}))
        return content

    def _kept(self, kept: Any) -> Any:
        with self._lock:
            self.usage += Usage(cached=1)
        if "kind" in kept:
            raise CallFailed(kept["kind"], kept["message"])
        return kept["content"]

    def _endpoint_answer(self, request: Request) -> tuple[Any, Usage]:
        """Return the answer and what it took; repeat the call while the service is busy."""
        for attempt in range(1, self._attempts + 1):
            try:
                answer = self._endpoint.ask(request, lambda: self._admit(request))
            except CallFailed as failed:
                self._count(request, failed.usage)
                if failed.kind in FINAL:
                    self._end(failed)
                if failed.kind == "concurrency":
                    with self._lock:
                        self.at_once = max(1, self.at_once // 2)
                if failed.kind not in {"busy", "concurrency"} or attempt == self._attempts:
                    self._give_up(failed)
                    raise
                self._bench.check()
                self._pause(_FIRST_PAUSE * 2 ** (attempt - 1) if failed.retry_after is None else failed.retry_after)
            else:
                self._count(request, answer.usage)
                with self._lock:
                    self._given_up = 0
                return answer.content, answer.usage
        raise AssertionError  # the last attempt returns or raises

    def _admit(self, request: Request) -> None:
        """Raise if this call must not be made; otherwise count it."""
        self._bench.check()
        with self._lock:
            if self._over is not None:
                raise CallFailed(self._over.kind, str(self._over))
            most = request.tokens_in + request.max_tokens
            used = self.usage.tokens_in + self.usage.tokens_out + self._promised
            if self._sent >= self._llm.max_calls:
                raise CallFailed("budget", f"the export has made all its {self._llm.max_calls} calls (max_calls)")
            if used + most > self._llm.max_tokens_total:
                raise CallFailed(
                    "budget", f"the export has used up its {self._llm.max_tokens_total} tokens (max_tokens_total)"
                )
            self._sent += 1
            self._promised += most

    def _count(self, request: Request, usage: Usage) -> None:
        with self._lock:
            self._promised -= usage.calls * (request.tokens_in + request.max_tokens)
            self.usage += usage

    def _give_up(self, failed: CallFailed) -> None:
        with self._lock:
            self._given_up = self._given_up + 1 if failed.kind == "busy" else 0
            if self._given_up < _MAX_UNREACHABLE:
                return
        self._end(CallFailed("fatal", str(failed)))

    def _end(self, failed: CallFailed) -> None:
        with self._lock:
            self._over = self._over or failed
