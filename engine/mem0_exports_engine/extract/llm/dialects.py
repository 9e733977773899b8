"""Say the same to every endpoint: negotiate the response format and the names of parameters.

Endpoints that call themselves OpenAI-compatible differ in how they take the schema of an answer, and some refuse
parameters that others need. What an endpoint refuses is left out or renamed once, and remembered.
"""

from __future__ import annotations

import json
import threading

from typing import TYPE_CHECKING, Any, Final

import attrs


if TYPE_CHECKING:
    from mem0_exports.llm import LLM
    from mem0_exports_engine.extract.llm.problems import CallFailed
    from mem0_exports_engine.extract.llm.request import Request

ORDER: Final = ("json_schema", "json_object", "prompt")
"""The response formats, the strictest first. With the last one, the schema is in the prompt only."""

_OF_FORMAT: Final = ("response_format", "json_schema", "json_object", "structured", "grammar", "schema")


@attrs.frozen
class Form:
    """How requests are written."""

    dialect: str
    limit: str | None = "max_tokens"
    """The name of the parameter for the most tokens of an answer; None to leave it out."""
    temperature: bool = True
    seed: bool = True

    def body(self, llm: LLM, request: Request) -> bytes:
        """Return the body of a request."""
        body: dict[str, Any] = {"model": llm.model, "messages": request.messages, "stream": False}
        if self.limit is not None:
            body[self.limit] = request.max_tokens
        if self.temperature:
            body["temperature"] = llm.temperature
        if self.seed:
            body["seed"] = llm.seed + request.shift
        schema = json.loads(request.schema)
        if self.dialect == "json_schema":
            # Nested: a schema beside `type` is ignored by some servers without a word.
            named = {"name": "answer", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        elif self.dialect == "json_object":
            body["response_format"] = {"type": "json_object", "schema": schema}
        return json.dumps({**body, **llm.extra}).encode()


class Dialects:
    """The form that an endpoint takes, as far as it is known. Safe to share between threads."""

    def __init__(self, dialect: str) -> None:
        self._is_free = dialect == "auto"
        self.form = Form(ORDER[0] if dialect == "auto" else dialect)
        self._works = False
        self._lock = threading.Lock()

    def works(self, form: Form) -> None:
        """Note that a request in this form was answered."""
        self._works = self._works or form.dialect == self.form.dialect

    def learn(self, form: Form, failed: CallFailed) -> bool:
        """Return whether to send the request again at once, in the form that is now known."""
        if failed.refused_words is None:
            return False
        with self._lock:
            if form != self.form:  # another thread has learned something meanwhile
                return True
            other = self._other(form, failed.refused_words, is_an_error=failed.kind == "busy")
            if other is None:
                return False
            self.form = other
            return True

    def _other(self, form: Form, words: str, *, is_an_error: bool) -> Form | None:
        """Return the form to try next."""
        if not is_an_error:
            if form.limit is not None and form.limit in words:
                return attrs.evolve(form, limit="max_completion_tokens" if form.limit == "max_tokens" else None)
            if form.temperature and "temperature" in words:
                return attrs.evolve(form, temperature=False)
            if form.seed and "seed" in words:
                return attrs.evolve(form, seed=False)
            if not any(word in words for word in _OF_FORMAT):
                return None
        # Some servers fail with an internal error on a format that they do not know.
        if self._works or not self._is_free or form.dialect == ORDER[-1]:
            return None
        return attrs.evolve(form, dialect=ORDER[ORDER.index(form.dialect) + 1])
