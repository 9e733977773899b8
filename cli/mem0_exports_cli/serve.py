"""`mem0-exports serve`: the engine over HTTP."""

from __future__ import annotations

import os

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mem0_exports import facts
from mem0_exports_cli.connection import read_key
from mem0_exports_cli.llm_options import announce, with_llm
from mem0_exports_cli.options import StoreFile, command
from mem0_exports_engine.extras import require


if TYPE_CHECKING:
    from mem0_exports.llm import LLM


def _above_zero(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    """Return the value of an option, if it is a number above 0. NaN is not, and is not below anything either."""
    if not 0 < value < 1e6:
        raise click.BadParameter(f"must be a number above 0 and below 1000000, got {value!r}")
    return value


def add_to(parent: click.Group) -> None:
    """Add the command to a group."""
    command(
        parent,
        "serve",
        "mem0-exports serve --store memories.db",
        "mem0-exports serve --store memories.db --host 0.0.0.0 --api-key-file key.txt",
        "mem0-exports serve --store memories.db --llm-url http://127.0.0.1:11434/v1 --llm-model qwen3:8b",
    )(_serve)


@click.option(
    "--store",
    type=StoreFile(),
    required=True,
    envvar="MEM0_EXPORTS_STORE",
    metavar="FILE",
    help="The SQLite file of the store; created if it does not exist. [env: MEM0_EXPORTS_STORE]",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    metavar="N",
    help="The TCP port to listen on; 0 picks a free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="The address to listen on. The default can be reached from this machine only; any other requires an API key.",
)
@click.option(
    "--api-key-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A file whose first line is an API key for the project 'local', besides those of 'mem0-exports keys'; clients "
    "send it as 'Authorization: Token KEY'. Default: the environment variable MEM0_API_KEY.",
)
@click.option(
    "--api-key", metavar="KEY", help="The key itself; other users of this machine can see it in the list of processes."
)
@click.option(
    "--keep-exports",
    type=float,
    callback=_above_zero,
    default=facts.RETENTION.days,
    show_default=True,
    metavar="DAYS",
    help="How many days an export can be fetched after its creation.",
)
@click.option(
    "--grace",
    type=float,
    callback=_above_zero,
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="When the server stops, how long to wait for open requests, and after that for the running export; an export "
    "that takes longer is started again by the next server.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The least severe messages to log; 'warning' leaves out requests and finished exports.",
)
@with_llm
def _serve(
    store: Path,
    port: int,
    host: str,
    api_key_file: Path | None,
    api_key: str | None,
    keep_exports: float,
    grace: float,
    log_level: str,
    llm: LLM | None,
) -> None:
    """Serve the export API over HTTP.

    Memories and exports are kept in one SQLite file.

    By default only programs on this machine can connect, and no API key is needed. Requests need a key once one has been
    created with 'mem0-exports keys create', or if --api-key-file or MEM0_API_KEY is set. The server prints its URL on
    standard output and logs to standard error, one JSON object per request and per finished export.

    With --llm-url and --llm-model, values are also read out of the texts of memories, which are sent there.

    SIGTERM or Ctrl-C stops it after open requests and the running export have had time to finish (--grace). A second
    signal stops it at once; no export is lost.
    """
    if api_key is not None and api_key_file is not None:
        raise click.UsageError("--api-key and --api-key-file exclude each other")
    require("server", "this command")
    from mem0_exports_engine.server.serve import serve  # noqa: PLC0415 -- an extra

    if llm is not None:
        announce(llm)
    key, notice = _key(api_key, api_key_file)
    serve(
        store,
        host=host,
        port=port,
        api_key=key,
        notice=notice,
        retention=timedelta(days=keep_exports),
        grace=grace,
        log_level=log_level,
        llm=llm,
    )


def _key(api_key: str | None, api_key_file: Path | None) -> tuple[str | None, str | None]:
    """Return the key that all requests need, if any, and a notice about where it comes from."""
    if api_key is not None:
        return api_key, (
            "other users of this machine can see the --api-key in the list of processes; use --api-key-file, or the "
            "environment variable MEM0_API_KEY"
        )
    if api_key_file is not None:
        return read_key(api_key_file), None
    key = os.environ.get("MEM0_API_KEY")
    return key or None, "requests need the API key in the environment variable MEM0_API_KEY" if key else None
