"""What the sync and the async client have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from mem0_exports.errors import ConfigurationError
from mem0_exports.http import operations


if TYPE_CHECKING:
    from pathlib import Path

    from mem0_exports.filters.rules import FilterRules
    from mem0_exports.http.in_process import Answers
    from mem0_exports.llm import LLM
    from mem0_exports.local_engine import EngineTransport, LocalEngine

    class LocalTransport(Answers, EngineTransport, Protocol):
        """The transport of a client of the embedded engine."""


def local_transport(
    path: str | Path,
    filter_rules: FilterRules | None,
    project: str,
    llm: LLM | None,
    source: object = None,
    collection: str | None = None,
) -> LocalTransport:
    """Return the transport to an embedded engine, with the memories of a source if there is one."""
    from mem0_exports_engine.transport import LocalTransport as Transport  # noqa: PLC0415 -- an extra

    return Transport(path, filter_rules, project, llm, source, collection)


def no_pickle(client: object) -> NoReturn:
    """Raise TypeError: a client cannot be pickled."""
    raise TypeError(f"a {type(client).__name__} holds open connections and cannot be pickled; make one in each process")


def prepare() -> None:
    """Import every module that the first requests need."""
    import dateutil.parser  # noqa: F401, PLC0415
    import pydantic  # noqa: F401, PLC0415

    import mem0_exports.filters.check  # noqa: F401, PLC0415

    operations.prepare()


def engine_of(transport: EngineTransport | None) -> LocalEngine:
    """Return the engine of a client. Raises ConfigurationError if it has none."""
    if transport is None:
        raise ConfigurationError(
            "client.engine: this client has no embedded engine; make one with Client.local() or Client.oss()"
        )
    return transport.engine


def repr_of(client: Any) -> str:
    """Return the repr of a client, which shows no key."""
    if "_driver" not in vars(client):  # its constructor failed
        return f"{type(client).__name__}(not set up)"
    local = client._local  # noqa: SLF001 -- a client's
    address = client._driver.base_url  # noqa: SLF001 -- a client's
    where = f"base_url={address!r}" if local is None else f"local, store={local.path!r}"
    return f"{type(client).__name__}({where})"
