"""Options for a language model, with which the embedded engine reads the texts of memories."""

from __future__ import annotations

import functools
import os

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from mem0_exports.errors import InputError
from mem0_exports.llm import LLM
from mem0_exports_cli.connection import came_from_environment, read_key
from mem0_exports_cli.printing import remark


if TYPE_CHECKING:
    from collections.abc import Callable

    from mem0_exports_cli.connection import Connection

_C = TypeVar("_C", bound="Callable[..., Any]")

_DEFAULTS: Final = LLM("http://127.0.0.1/v1", model="any")

_OPENAI: Final = "api.openai.com"

_OPTIONS: Final = (
    click.option(
        "--llm-url",
        envvar="MEM0_EXPORTS_LLM_URL",
        metavar="URL",
        help="The base URL of an OpenAI-compatible service, such as http://127.0.0.1:11434/v1. The texts of the selected "
        "memories are sent there. [env: MEM0_EXPORTS_LLM_URL]",
    ),
    click.option(
        "--llm-model",
        envvar="MEM0_EXPORTS_LLM_MODEL",
        metavar="NAME",
        help="The name of the model. [env: MEM0_EXPORTS_LLM_MODEL]",
    ),
    click.option(
        "--llm-key-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A file whose first line is the API key of the service. Default: MEM0_EXPORTS_LLM_API_KEY; for api.openai.com "
        "also OPENAI_API_KEY.",
    ),
    click.option(
        "--llm-context",
        type=click.IntRange(512),
        default=_DEFAULTS.context,
        show_default=True,
        metavar="TOKENS",
        help="How many tokens the model can take at once.",
    ),
    click.option(
        "--llm-concurrency",
        type=click.IntRange(1, 64),
        default=_DEFAULTS.concurrency,
        show_default=True,
        metavar="N",
        help="The most calls at the same time.",
    ),
    click.option(
        "--llm-timeout",
        type=click.FloatRange(0.01, 86_400),
        default=_DEFAULTS.timeout,
        show_default=True,
        metavar="SECONDS",
        help="How long one call may take.",
    ),
    click.option(
        "--llm-max-tokens",
        type=click.IntRange(1),
        default=_DEFAULTS.max_tokens_total,
        show_default=True,
        metavar="N",
        help="The most tokens of one export, prompts and answers together. What is not read by then is reported.",
    ),
    click.option(
        "--llm-check",
        type=click.Choice(["auto", "on", "off"]),
        default=_DEFAULTS.check,
        show_default=True,
        help="Whether the model is asked once more about each value. auto: if it can tell known examples apart.",
    ),
    click.option(
        "--llm-ungrounded",
        type=click.Choice(["omit", "judge"]),
        default=_DEFAULTS.ungrounded,
        show_default=True,
        help="What to do with values that stand in no memory, such as booleans: leave them out, or let the check decide.",
    ),
)


def with_llm(function: _C) -> _C:
    """Add the options of a language model. The function gets it as `llm`: None without --llm-url."""

    @functools.wraps(function)
    def wrapped(*arguments: Any, **more: Any) -> Any:
        return function(*arguments, llm=_llm(more), **more)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]


def reading(function: _C) -> _C:
    """Add the options of a language model to a command with a `connection`, which then has the model."""

    @with_llm
    @functools.wraps(function)
    def wrapped(*arguments: Any, llm: LLM | None, connection: Connection, **more: Any) -> Any:
        if connection.store is None and came_from_environment("llm_url"):
            llm = None  # the variable is for the embedded engine
        if llm is not None and connection.store is not None:
            announce(llm, quiet=more["quiet"])
        return function(*arguments, connection=connection._replace(llm=llm), **more)

    return wrapped  # type: ignore[return-value]


def _llm(given: dict[str, Any]) -> LLM | None:
    """Take the options out of those of a command, and return the model."""
    url, model, key_file = (given.pop(f"llm_{name}") for name in ("url", "model", "key_file"))
    names = ("context", "concurrency", "timeout", "check", "ungrounded")
    settings = {name: given.pop(f"llm_{name}") for name in names}
    settings["max_tokens_total"] = given.pop("llm_max_tokens")
    if url is None:
        if model is not None and not came_from_environment("llm_model"):
            raise InputError("--llm-model needs --llm-url, the address of the service", field="llm")
        return None
    if model is None:
        raise InputError("--llm-url needs --llm-model, the name of a model", field="llm")
    return LLM(url, model=model, api_key=_key(url, key_file), **settings)


def _key(url: str, key_file: Path | None) -> str | None:
    if key_file is not None:
        return read_key(key_file, "--llm-key-file")
    key = os.environ.get("MEM0_EXPORTS_LLM_API_KEY")
    if key is None and urlsplit(url).hostname == _OPENAI:
        key = os.environ.get("OPENAI_API_KEY")
    return key or None


def announce(llm: LLM, *, quiet: bool = False) -> None:
    """Say where the texts of memories will be sent."""
    remark(f"texts of memories are sent to {urlsplit(llm.url).netloc}, for the model {llm.model}", quiet=quiet)
