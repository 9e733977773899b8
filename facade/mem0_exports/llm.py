"""`LLM`: the language model with which the embedded engine reads values out of the texts of memories."""

from __future__ import annotations

import json

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

import attrs

from mem0_exports.api_key import usable_key
from mem0_exports.errors import ConfigurationError


Dialect: TypeAlias = Literal["auto", "json_schema", "json_object", "prompt"]
"""How the endpoint is told the shape of an answer: as `response_format` of type json_schema or json_object, or only in
the prompt. "auto" tries them in this order and remembers what the endpoint accepts."""

Check: TypeAlias = Literal["auto", "on", "off"]
"""Whether the model is asked once more about each value: does this memory say so? "auto": if it can tell 10 of 12 known
examples apart."""

Ungrounded: TypeAlias = Literal["omit", "judge"]
"""What to do with values that stand in no memory, such as booleans and paraphrases: leave them out, or fill those for
which the check says that a memory says so."""

_MAX_CONCURRENCY: Final = 64
_MIN_CONTEXT: Final = 512


def _choice(kind: Any) -> Any:
    choices = get_args(kind)

    def check(_instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value not in choices:
            raise ConfigurationError(f"LLM: {attribute.name} must be one of {', '.join(choices)}, got {value!r}")

    return check


def _between(least: float, most: float, kind: type = int) -> Any:
    def check(_instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        is_number = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
        if not is_number or not least <= value <= most:
            what = "a whole number" if kind is int else "a number"
            raise ConfigurationError(f"LLM: {attribute.name} must be {what} from {least:,} to {most:,}, got {value!r}")

    return check


def _url(url: Any) -> str:
    if not isinstance(url, str):
        raise ConfigurationError(f"LLM: url must be a string, got {type(url).__name__}")
    if "@" in url:  # not shown: it can have a password in it
        raise ConfigurationError("LLM: url must not contain a user or a password; pass api_key")
    if not _is_usable(url):
        raise ConfigurationError(
            "LLM: url must be the base URL of an OpenAI-compatible service, such as http://127.0.0.1:11434/v1, got "
            f"{url[:200]!r}"
        )
    return url.rstrip("/").removesuffix("/chat/completions")


def _is_usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    is_plain = url.isprintable() and " " not in url and not parts.query and not parts.fragment
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and has_port and is_plain


def _one_line(_instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ConfigurationError(f"LLM: {attribute.name} must be a non-empty line of text, got {value!r}")


def _key(_instance: object, _attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None:
        usable_key(value)


def _no_body(_instance: object, _attribute: attrs.Attribute[Any], value: Any) -> None:
    reserved = {"messages", "model", "response_format", "stream"}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ConfigurationError(f"LLM: extra must be a dict of request parameters, got {value!r}")
    if taken := reserved & value.keys():
        raise ConfigurationError(f"LLM: extra must not contain {', '.join(sorted(taken))}")
    try:
        json.dumps(dict(value), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"LLM: extra must have JSON values only: {error}") from None


def _nothing() -> Mapping[str, Any]:
    return {}


def _copied(given: Any) -> Any:
    return dict(given) if isinstance(given, Mapping) else given


@attrs.frozen(kw_only=True)
class LLM:
    """A language model behind an OpenAI-compatible endpoint, with which the embedded engine reads texts.

        llm = LLM("http://127.0.0.1:11434/v1", model="qwen3:8b")
        with Client.local("memories.db", llm=llm) as client:
            profile = client.exports.run(Profile, F.user_id == "alex")

    The texts of the selected memories are sent to this endpoint, and to nothing else. Nothing is read from the
    environment. Creating it sends nothing.

    Raises ConfigurationError if an argument cannot be used.
    """

    url: str = attrs.field(kw_only=False, converter=_url)
    """The base URL of the service, up to and including `/v1`."""
    model: str = attrs.field(validator=_one_line)
    """The name of the model."""
    api_key: str | None = attrs.field(default=None, repr=False, validator=_key)
    """The key of the service, if it needs one."""
    context: int = attrs.field(default=8192, validator=_between(_MIN_CONTEXT, 10_000_000))
    """How many tokens the model can take at once, prompt and answer together. Texts are sent in chunks that fit."""
    concurrency: int = attrs.field(default=2, validator=_between(1, _MAX_CONCURRENCY))
    """The most calls at the same time. It is halved while the service refuses so many."""
    timeout: float = attrs.field(default=120.0, validator=_between(0.01, 86_400, float))
    """Seconds for one call, from connecting to the last byte."""
    temperature: float = attrs.field(default=0.0, validator=_between(0, 2, float))
    """The temperature. 0 gives the same answer each time, as far as the service can."""
    seed: int = attrs.field(default=0, validator=_between(0, 2**31 - 2))
    """The seed for the model's random numbers."""
    dialect: Dialect = attrs.field(default="auto", validator=_choice(Dialect))
    """How the endpoint is told the shape of an answer."""
    check: Check = attrs.field(default="auto", validator=_choice(Check))
    """Whether each value is checked against its memory with a call of its own. The check can only remove values."""
    ungrounded: Ungrounded = attrs.field(default="omit", validator=_choice(Ungrounded))
    """What to do with values that do not stand in a memory literally, such as booleans."""
    max_tokens_total: int = attrs.field(default=2_000_000, validator=_between(1, 10**15))
    """The most tokens of one export, prompts and answers together. What was not read by then is reported."""
    max_calls: int = attrs.field(default=20_000, validator=_between(1, 10**9))
    """The most calls of one export."""
    extra: Mapping[str, Any] = attrs.field(
        factory=_nothing,
        validator=_no_body,
        converter=_copied,
    )
    """Further parameters of each request, such as `{"reasoning_effort": "low"}`."""

    def __hash__(self) -> int:
        """Return a hash of what identifies the model."""
        return hash((self.url, self.model))
