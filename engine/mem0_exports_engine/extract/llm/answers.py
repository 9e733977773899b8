"""Read the answer of an endpoint. Nothing in it is repaired: what is not the wanted JSON is a failed call."""

from __future__ import annotations

import re

from http import HTTPStatus
from typing import Any, Final, NamedTuple

from mem0_exports_engine import json_text
from mem0_exports_engine.extract.llm.problems import CallFailed
from mem0_exports_engine.extract.llm.prompts import tokens_of
from mem0_exports_engine.extract.llm.usage import Usage


_FATAL: Final = {
    401: "the key is missing or refused",
    402: "it has to be paid first",
    403: "the key does not permit this",
    404: "there is no such address or model",
    **dict.fromkeys((301, 302, 303, 307, 308), "a redirection; give the address that it leads to"),
}
"""The statuses after which no call will succeed, and why."""

_LONGEST_TOKEN: Final = 7
"""More bytes per token than any prompt has. Fewer tokens than this means that a part of the prompt was not read."""

_MIN_CUT: Final = 4000
"""The least bytes of a prompt that a server could have cut."""

_MOSTLY: Final = 0.9
"""The share of white space from which an answer counts as an endless run of it."""

_MAX_PERIOD: Final = 300
"""The most characters after which an answer repeats itself."""
_REPEATS: Final = 4
_MIN_REPEATED: Final = 80
"""How often, and for how many characters at least, so that it counts as endless."""

_FENCE: Final = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL)
_TOO_LONG: Final = (
    "exceed_context_size",
    "context length",
    "context_length",
    "maximum context",
    "context size",
    "too long",
)
_QUOTA: Final = ("insufficient_quota", "exceeded your current quota", "out of credit", "insufficient credit")
"""What a used-up quota is called. Refusals of a too quick client can also speak of billing and of quotas."""
_PARALLEL: Final = ("concurren", "parallel", "simultaneous")


class Answer(NamedTuple):
    """The answer of a model."""

    content: Any
    """The JSON value."""
    usage: Usage


def read_answer(status: int, body: bytes, retry_after: float | None, prompt_size: int) -> Answer:
    """Return the answer in an HTTP response. Raises CallFailed."""
    if status != HTTPStatus.OK:
        raise _refusal(status, body, retry_after)
    try:
        document = json_text.read(body)
    except ValueError:
        raise CallFailed("busy", "the service answered with something that is not JSON") from None
    usage = _usage(document, prompt_size, len(body))
    try:
        choice = document["choices"][0]
        message = choice["message"]
        finish = choice.get("finish_reason")
        content = message.get("content")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise CallFailed(
            "busy", "the service answered with something that is no chat completion", usage=usage
        ) from None
    if message.get("refusal") or finish == "content_filter":
        raise CallFailed("refused", "the model refused to answer", usage=usage)
    _check_prompt(prompt_size, usage)
    return Answer(_json(content, finish, message, usage), usage)


def _json(content: Any, finish: Any, message: Any, usage: Usage) -> Any:
    text = content if isinstance(content, str) else ""
    if not text.strip():
        thinks = any(
            isinstance(message.get(name), str) and message[name] for name in ("reasoning_content", "reasoning")
        )
        if thinks:
            raise CallFailed(
                "invalid",
                "the answer is empty, because the model has put everything into its reasoning; turn thinking off, for example "
                'with extra={"reasoning_effort": "none"}, or allow more with context=',
                usage=usage,
            )
        raise CallFailed("invalid", "the answer is empty", usage=usage)
    if finish == "length":
        if _is_endless(text):
            raise CallFailed("invalid", "the answer repeats itself, or is white space, without end", usage=usage)
        raise CallFailed("too_long", "the answer did not fit into the tokens that were left for it", usage=usage)
    fenced = _FENCE.fullmatch(text)
    try:
        return json_text.read((text if fenced is None else fenced[1]).encode())
    except (ValueError, UnicodeEncodeError):
        raise CallFailed("invalid", "the answer is not JSON", usage=usage) from None


def _is_endless(text: str) -> bool:
    """Return whether an answer that was cut would never have ended: small models fall into such loops.

    Fewer memories at once do not help against that.
    """
    if len("".join(text.split())) < len(text) * (1 - _MOSTLY):
        return True
    for period in range(1, _MAX_PERIOD + 1):
        length = max(_MIN_REPEATED, _REPEATS * period)
        if len(text) >= length + period and text[-length:] == text[-length - period : -period]:
            return True
    return False


def _usage(document: Any, prompt_size: int, answer_size: int) -> Usage:
    """Return what the service says that the call has taken, or an estimate that is rather too high."""
    given = document.get("usage") if isinstance(document, dict) else None
    return Usage(
        tokens_in=_count(given, "prompt_tokens", tokens_of(prompt_size)),
        tokens_out=_count(given, "completion_tokens", tokens_of(answer_size)),
    )


def _count(given: Any, name: str, otherwise: int) -> int:
    count = given.get(name) if isinstance(given, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else otherwise


def _check_prompt(prompt_size: int, usage: Usage) -> None:
    """Raise CallFailed if the service cannot have read the whole prompt.

    Ollama cuts a prompt that is longer than its context, and answers with status 200.
    """
    if prompt_size >= _MIN_CUT and usage.tokens_in * _LONGEST_TOKEN < prompt_size:
        raise CallFailed(
            "too_long",
            f"the service read only {usage.tokens_in} tokens of a prompt of about {tokens_of(prompt_size)}; give it a larger "
            "context (for Ollama, set OLLAMA_CONTEXT_LENGTH), or set context= to the one it has",
            usage=usage,
        )


def _refusal(status: int, body: bytes, retry_after: float | None) -> CallFailed:
    """Return the error for a status other than 200."""
    words = body[:10_000].decode(errors="replace").casefold()
    what = f"the service answered with status {status}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _too_many(what, words, retry_after)
    if status in _FATAL:
        return CallFailed("fatal", f"{what}: {_FATAL[status]}")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or (
        status in {400, 422} and any(word in words for word in _TOO_LONG)
    ):
        return CallFailed("too_long", f"{what}: the prompt is too long for the model")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in {408, 409, 425}:
        is_of_format = status == HTTPStatus.INTERNAL_SERVER_ERROR
        return CallFailed("busy", what, retry_after=retry_after, refused_words=words if is_of_format else None)
    return CallFailed("refused", f"{what}: it cannot use the request", refused_words=words)


def _too_many(what: str, words: str, retry_after: float | None) -> CallFailed:
    if retry_after is None and any(word in words for word in _QUOTA):
        return CallFailed("fatal", f"{what}: the quota is used up")
    if any(word in words for word in _PARALLEL):
        return CallFailed("concurrency", f"{what}: too many calls at the same time", retry_after=retry_after)
    return CallFailed("busy", f"{what}: too many calls", retry_after=retry_after)
