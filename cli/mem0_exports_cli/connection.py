"""Open the client that the options of a command name."""

from __future__ import annotations

import contextlib
import os
import tempfile

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import click

from mem0_exports.errors import ConfigurationError
from mem0_exports_cli.exit_codes import MissingKey
from mem0_exports_engine.extras import require
from mem0_exports_engine.loopback import is_loopback
from mem0_exports_engine.store import open_store


if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from mem0_exports.client import Client
    from mem0_exports.llm import LLM
    from mem0_exports_engine.ports import Store


class Connection(NamedTuple):
    """Where the memories are: a file of the embedded engine, another service, or the Mem0 Platform."""

    store: Path | None
    base_url: str | None
    api_key_file: Path | None
    project: str
    llm: LLM | None = None
    """The language model of the embedded engine."""

    @property
    def place(self) -> str:
        """The options that choose it, for a command that a message suggests."""
        if self.store is not None:
            return f" --store {self.store}"
        return "" if self.base_url is None else f" --base-url {self.base_url}"

    def client(self) -> Client:
        """Return a client. Nothing is sent. Raises ConfigurationError if the options do not fit."""
        from mem0_exports.client import Client  # noqa: PLC0415 -- httpx takes a while to load, and --help needs no client

        if self.llm is not None and self.store is None:
            raise ConfigurationError("--llm-url is for --store: a service reads memories by itself")
        if self.store is not None:
            if self.base_url is not None:
                raise ConfigurationError("--store and --base-url exclude each other; use one of them")
            check_store(self.store)
            client = Client.local(self.store, project=self.project, llm=self.llm)
            _ = client.engine  # opens the file, so that it is refused now if it is no store
            return client
        key = os.environ.get("MEM0_API_KEY") or None
        if self.api_key_file is not None:
            key = read_key(self.api_key_file)
        if key is None and self.base_url is not None and is_loopback(urlsplit(self.base_url).hostname or ""):
            key = "none"  # a server on this machine may need none, and then accepts any
        if key is None:
            raise MissingKey(
                "no API key: set MEM0_API_KEY or use --api-key-file; for memories in a file of the embedded engine, which "
                "needs no key, use --store FILE"
            )
        return Client(key, base_url=self.base_url)


def check_store(store: Path) -> None:
    """Raise ConfigurationError unless there is a store. A misspelled path must not make a new, empty one."""
    if not (store.exists() and store.stat().st_size):
        problem = "is empty" if store.exists() else "does not exist"
        raise ConfigurationError(f"--store must be an existing store, but {str(store)!r} {problem}")


def read_key(path: Path, option: str = "--api-key-file") -> str:
    """Return the API key on the first line of a file."""
    try:
        key = path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{option}: {path} cannot be read: {error}") from None
    if not key:
        raise ConfigurationError(f"{option}: the first line of {path} is empty")
    return key


def opened(store: Path) -> AbstractContextManager[Store]:
    """Return a store, created if it does not exist, for a `with` block. Raises ConfigurationError without the extra."""
    require("local", "this command")
    return contextlib.closing(open_store(store))


@contextlib.contextmanager
def copy_of(store: Path) -> Iterator[Path]:
    """Yield a temporary copy of a store, to try something on. A store that does not exist has an empty copy."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        if store.exists() and store.stat().st_size:
            with opened(store) as found:
                found.copy_to(copy)
            copy.chmod(0o600)
        yield copy


def came_from_environment(name: str) -> bool:
    """Return whether an option of the running command was given by its environment variable."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.ENVIRONMENT
