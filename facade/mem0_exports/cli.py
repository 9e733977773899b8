"""The `mem0-exports` command."""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import socket
import sys

from pathlib import Path
from typing import TYPE_CHECKING

from mem0_exports._version import __version__
from mem0_exports.errors import ConfigurationError, Mem0ExportsError


if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 done, 1 not all could be done, 2 wrong use."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
    except Mem0ExportsError as error:
        print(f"mem0-exports: {error}", file=sys.stderr)
        return 1
    except _store_errors() as error:
        print(f"mem0-exports: the store failed: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"mem0-exports: {error.strerror or error}: {error.filename or ''}".rstrip(": "), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _store_errors() -> tuple[type[BaseException], ...]:
    """What a store raises, if one was used: a full disk, a damaged file."""
    sqlalchemy = sys.modules.get("sqlalchemy.exc")
    return () if sqlalchemy is None else (sqlalchemy.DBAPIError,)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mem0-exports", description="Typed exports of memories from Mem0, and an embedded engine to run them on."
    )
    parser.add_argument("--version", action="version", version=f"mem0-exports {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="show the main job on sample memories", description=_demo.__doc__)
    demo.add_argument("--out", type=Path, default=Path("demo-output"), help="where its files go (default: %(default)s)")
    demo.set_defaults(run=_demo)

    load = commands.add_parser("import", help="load memories from a JSON Lines file", description=_import.__doc__)
    load.add_argument("file", type=Path, metavar="FILE.jsonl", help="one memory record a line")
    load.add_argument("--store", type=Path, required=True, metavar="PATH", help="the SQLite file; made if missing")
    load.set_defaults(run=_import)

    serve = commands.add_parser("serve", help="serve the embedded engine over HTTP", description=_serve.__doc__)
    serve.add_argument("--store", type=Path, required=True, metavar="PATH", help="the SQLite file; made if missing")
    serve.add_argument(
        "--port", type=_port, default=8765, metavar="N", help="0 picks a free one (default: %(default)s)"
    )
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="what to listen on (default: %(default)s, which only programs on this machine reach); others need a key",
    )
    serve.add_argument(
        "--api-key",
        default=os.environ.get("MEM0_API_KEY") or None,
        metavar="KEY",
        help="what requests must carry as 'Authorization: Token KEY' (default: the environment's MEM0_API_KEY)",
    )
    serve.set_defaults(run=_serve)
    return parser


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError(text)
    return number


def _demo(chosen: argparse.Namespace) -> int:
    """Show a profile, a timeline and a filtered export, made on the embedded engine from sample memories."""
    _needs("sqlalchemy", "local")
    from mem0_exports.demo import run  # noqa: PLC0415 -- an extra

    run(chosen.out)
    return 0


def _import(chosen: argparse.Namespace) -> int:
    """Load memory records, exactly as they are; records that are there already are not loaded again.

    A record has "memory" (the text), at least one of user_id, agent_id, app_id and run_id, and optionally id,
    metadata, categories, created_at, updated_at and expiration_date.
    """
    _needs("sqlalchemy", "local")
    from mem0_exports.local.importer import import_lines  # noqa: PLC0415 -- an extra
    from mem0_exports.local.store import Store  # noqa: PLC0415 -- an extra

    with chosen.file.open("rb") as lines:
        store = Store(chosen.store)
        try:
            done = import_lines(store, lines)
        finally:
            store.close()
    for bad in done.bad:
        print(f"{chosen.file}:{bad.number}: {bad.reason}", file=sys.stderr)
    print(f"{done.added} added, {done.known} already there, {len(done.bad)} bad")
    return 1 if done.bad else 0


def _serve(chosen: argparse.Namespace) -> int:
    """Serve the whole API from one SQLite file, until interrupted; without other arguments to this machine only."""
    _needs("uvicorn", "server")
    import uvicorn  # noqa: PLC0415 -- an extra

    from mem0_exports.local.app import Impatient, build  # noqa: PLC0415 -- an extra
    from mem0_exports.local.engine import Engine  # noqa: PLC0415 -- an extra

    if chosen.api_key is None and not _is_loopback(chosen.host):
        raise ConfigurationError(
            f"--host {chosen.host} lets other machines in, and there is no key: give --api-key, or set MEM0_API_KEY"
        )
    family = socket.AF_INET6 if ":" in chosen.host else socket.AF_INET
    listening = socket.create_server((chosen.host, chosen.port), family=family)
    # Without it each answer waits some 40 ms for the client to confirm its head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    engine = Engine(chosen.store, api_key=chosen.api_key)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
            print(f"listening on http://{host}:{listening.getsockname()[1]}", flush=True)

    if chosen.api_key is None:
        print("no key is set: every program on this machine may use this service", file=sys.stderr)
    # Once it has stopped, uvicorn raises the signal that stopped it again; the engine is to be closed first.
    before = {stop: signal.signal(stop, lambda *_: None) for stop in (signal.SIGINT, signal.SIGTERM)}
    try:
        Server(uvicorn.Config(build(engine), http=Impatient, log_level="warning", lifespan="off", ws="none")).run(
            [listening]
        )
    finally:
        for stop, handler in before.items():
            signal.signal(stop, handler)  # so that a second signal ends the wait for a long job, which goes on later
        engine.close()
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _needs(module: str, extra: str) -> None:
    from importlib.util import find_spec  # noqa: PLC0415 -- only commands with extras ask

    if find_spec(module) is None:
        raise ConfigurationError(f'this command needs an extra: pip install "mem0-exports[{extra}]"')


if __name__ == "__main__":
    sys.exit(main())
