"""The commands of the embedded engine: `demo`, `import`, `serve` and `keys`.

They import the engine when they run: it needs extras, and `mem0-exports --help` does not.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import os
import sys

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mem0_exports import facts
from mem0_exports.errors import ConfigurationError
from mem0_exports_engine import clock
from mem0_exports_engine.access import create_key, revoke_key
from mem0_exports_engine.projects import DEFAULT_PROJECT, checked_project
from mem0_exports_engine.store import open_store


if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from mem0_exports_engine.ports import Store


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to a parser."""
    demo = _with_text(commands.add_parser("demo", help="show the main job on sample memories"), _demo)
    demo.add_argument("--out", type=Path, default=Path("demo-output"), help="where its files go (default: %(default)s)")

    load = _with_text(commands.add_parser("import", help="load memories from a JSON Lines file"), _import)
    load.add_argument("file", type=Path, metavar="FILE.jsonl", help="one memory record a line")
    _add_store(load)
    load.add_argument(
        "--project", default=DEFAULT_PROJECT, metavar="NAME", help="whose memories they are (default: %(default)s)"
    )

    serve = _with_text(commands.add_parser("serve", help="serve the embedded engine over HTTP"), _serve)
    _add_store(serve)
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
    serve.add_argument(
        "--keep-exports",
        type=_above_zero,
        default=facts.RETENTION.days,
        metavar="DAYS",
        help="how long they can be fetched (default: %(default)s)",
    )
    serve.add_argument(
        "--grace",
        type=_above_zero,
        default=10.0,
        metavar="SECONDS",
        help="how long a running export may take once the server is to stop; then the next server starts it again "
        "(default: 10)",
    )
    serve.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="what standard error gets; warning leaves out requests and finished exports (default: %(default)s)",
    )

    keys = commands.add_parser("keys", help="make, list and revoke keys of a store")
    actions = keys.add_subparsers(title="actions", required=True, metavar="ACTION")
    create = _with_text(actions.add_parser("create", help="make a key and print it"), _keys_create)
    _add_store(create)
    create.add_argument(
        "--project", default=DEFAULT_PROJECT, metavar="NAME", help="what it opens (default: %(default)s)"
    )
    create.add_argument("--name", type=_line, default="", metavar="TEXT", help="what you call it, such as who has it")
    _add_store(_with_text(actions.add_parser("list", help="list the keys"), _keys_list))
    revoke = _with_text(actions.add_parser("revoke", help="let a key open nothing any more"), _keys_revoke)
    revoke.add_argument("id", metavar="ID", help="the key's id, the part between mx- and the next hyphen")
    _add_store(revoke)


def _with_text(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    """The parser of a command that `run` carries out, described with its docstring."""
    parser.description = inspect.cleandoc(run.__doc__ or "")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.set_defaults(run=run)
    return parser


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=_file, required=True, metavar="PATH", help="the SQLite file; made if missing")


def _file(text: str) -> Path:
    if text == ":memory:":
        raise argparse.ArgumentTypeError("a file is needed: what is in memory ends with this command")
    return Path(text)


def _line(text: str) -> str:
    if not text.isprintable():
        raise argparse.ArgumentTypeError("one line of plain text is needed")
    return text


def _above_zero(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"a number above 0 is needed, got {text!r}")
    return number


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"a number from 0 to 65535 is needed, got {text!r}")
    return int(text)


def _demo(chosen: argparse.Namespace) -> int:
    """Show a profile, a timeline and a filtered export, made on the embedded engine from sample memories."""
    _needs("sqlalchemy", "local")
    from mem0_exports_cli.demo import run  # noqa: PLC0415 -- an extra

    run(chosen.out)
    return 0


def _import(chosen: argparse.Namespace) -> int:
    """Load memory records, exactly as they are; records that are there already are not loaded again.

    A record has "memory" (the text), at least one of user_id, agent_id, app_id and run_id, and optionally id,
    metadata, categories, created_at, updated_at and expiration_date.
    """
    with chosen.file.open("rb") as lines, _store(chosen) as store:
        from mem0_exports_engine.importer import import_lines  # noqa: PLC0415 -- an extra

        done = import_lines(store.memories, lines, project=checked_project(chosen.project))
    for bad in done.bad:
        print(f"{chosen.file}:{bad.number}: {bad.reason}", file=sys.stderr)
    if done.bad_count > len(done.bad):
        print(f"{chosen.file}: and {done.bad_count - len(done.bad)} more bad lines", file=sys.stderr)
    print(f"{done.added} added, {done.known} already there, {done.bad_count} bad")
    return 1 if done.bad else 0


def _serve(chosen: argparse.Namespace) -> int:
    """Serve the whole API from one SQLite file, until interrupted; without other arguments to this machine only.

    Requests need a key once the store has had one (mem0-exports keys create), or where --api-key gives one. Standard
    error has one JSON object for each request and each finished export. SIGTERM or Ctrl-C ends it in good order.
    """
    _needs("uvicorn", "server")
    from mem0_exports_engine.server.serve import serve  # noqa: PLC0415 -- an extra

    serve(
        chosen.store,
        host=chosen.host,
        port=chosen.port,
        api_key=chosen.api_key,
        retention=timedelta(days=chosen.keep_exports),
        grace=chosen.grace,
        log_level=chosen.log_level,
    )
    return 0


def _keys_create(chosen: argparse.Namespace) -> int:
    """Make a key for a project and print it. It is kept nowhere else: the store has only a digest of it.

    A key sees the memories and exports of its own project and no others. Projects need no making.
    """
    with _store(chosen) as store:
        key, text = create_key(store.keys, chosen.project, chosen.name, clock.now())
    print(text)
    print(f"key {key.id} of project {key.project}; this is the only time that it is shown", file=sys.stderr)
    return 0


def _keys_list(chosen: argparse.Namespace) -> int:
    """List the keys of a store: their ids, projects and names, and whether they are still good."""
    with _store(chosen, must_exist=True) as store:
        found = store.keys.all()
    rows = [("id", "project", "name", "created", "revoked")]
    rows += [(key.id, key.project, key.name, key.created_at, key.revoked_at or "") for key in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _keys_revoke(chosen: argparse.Namespace) -> int:
    """Let a key open nothing any more, at once, also on servers that are running."""
    with _store(chosen, must_exist=True) as store:
        revoke_key(store.keys, chosen.id, clock.now())
    print(f"key {chosen.id} opens nothing any more")
    return 0


def _store(chosen: argparse.Namespace, *, must_exist: bool = False) -> AbstractContextManager[Store]:
    _needs("sqlalchemy", "local")
    if must_exist and not chosen.store.exists():
        raise ConfigurationError(f"there is no store {str(chosen.store)!r}")
    return contextlib.closing(open_store(chosen.store))


def _needs(module: str, extra: str) -> None:
    from importlib.util import find_spec  # noqa: PLC0415 -- only commands with extras ask

    if find_spec(module) is None:
        raise ConfigurationError(f'this command needs an extra: pip install "mem0-exports[{extra}]"')
