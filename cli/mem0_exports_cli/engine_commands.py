"""The commands `demo`, `import`, `serve` and `keys`.

The engine is imported only when a command runs. Its dependencies are extras, and `--help` must work without them.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import os
import sys

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mem0_exports import facts
from mem0_exports.errors import ConfigurationError
from mem0_exports_engine import clock
from mem0_exports_engine.access import create_key, revoke_key
from mem0_exports_engine.extras import require
from mem0_exports_engine.ports import ON_CONFLICT
from mem0_exports_engine.projects import DEFAULT_PROJECT, checked_project
from mem0_exports_engine.store import open_store


if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from mem0_exports_engine.ports import Store


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the subparsers of a parser."""
    demo = _with_text(commands.add_parser("demo", help="show example exports of sample memories"), _demo)
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("demo-output"),
        metavar="FOLDER",
        help="the folder to write to; created if it does not exist (default: %(default)s)",
    )

    load = _with_text(commands.add_parser("import", help="import memories from a JSON Lines file"), _import)
    load.add_argument("file", type=Path, metavar="FILE.jsonl", help="the file to import, one JSON object per line")
    _add_store(load)
    load.add_argument(
        "--project", default=DEFAULT_PROJECT, metavar="NAME", help="the project to import into (default: %(default)s)"
    )
    load.add_argument(
        "--on-conflict",
        choices=ON_CONFLICT,
        default="error",
        help="what to do with a record that is another version of a memory in the store: keep the memory, replace it, or "
        "reject the line (default: %(default)s)",
    )

    serve = _with_text(commands.add_parser("serve", help="serve the export API over HTTP from a local file"), _serve)
    _add_store(serve)
    serve.add_argument(
        "--port",
        type=_port,
        default=8765,
        metavar="N",
        help="the TCP port to listen on; 0 picks a free one (default: %(default)s)",
    )
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="the address to listen on (default: %(default)s, which only this machine can reach; any other address "
        "requires an API key)",
    )
    key = serve.add_mutually_exclusive_group()
    key.add_argument(
        "--api-key-file",
        type=Path,
        metavar="PATH",
        help="a file whose first line is an API key for the project 'local', besides those of 'mem0-exports keys'; "
        "clients send it as 'Authorization: Token KEY' (default: the environment variable MEM0_API_KEY)",
    )
    key.add_argument(
        "--api-key",
        metavar="KEY",
        help="the key itself; other users of this machine can see it in the list of processes",
    )
    serve.add_argument(
        "--keep-exports",
        type=_above_zero,
        default=facts.RETENTION.days,
        metavar="DAYS",
        help="how many days an export can be fetched after its creation (default: %(default)s)",
    )
    serve.add_argument(
        "--grace",
        type=_above_zero,
        default=10.0,
        metavar="SECONDS",
        help="when the server stops, how long to wait for open requests, and after that for the running export; an export "
        "that takes longer is started again by the next server (default: 10)",
    )
    serve.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="the least severe messages to log; 'warning' leaves out requests and finished exports (default: "
        "%(default)s)",
    )

    keys = commands.add_parser(
        "keys",
        help="create, list and revoke API keys for the server",
        description="Create, list and revoke the API keys of a store. Once a key has been created, every request to "
        "'mem0-exports serve' needs a key, even if all keys have been revoked.",
    )
    actions = keys.add_subparsers(title="actions", required=True, metavar="ACTION")
    create = _with_text(actions.add_parser("create", help="create a key and print it"), _keys_create)
    _add_store(create)
    create.add_argument(
        "--project",
        default=DEFAULT_PROJECT,
        metavar="NAME",
        help="the project that the key opens (default: %(default)s)",
    )
    create.add_argument(
        "--name", type=_line, default="", metavar="TEXT", help="a label for the key, such as who will use it"
    )
    _add_store(_with_text(actions.add_parser("list", help="list the keys of a store"), _keys_list), _EXISTING)
    revoke = _with_text(actions.add_parser("revoke", help="revoke a key"), _keys_revoke)
    revoke.add_argument("id", metavar="ID", help="the id of the key: the 8 characters after 'mx-'; 'list' shows it too")
    _add_store(revoke, _EXISTING)


def _with_text(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    """Return the parser of the command `run`, whose docstring becomes the description in its help."""
    parser.description = inspect.cleandoc(run.__doc__ or "")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.set_defaults(run=run)
    return parser


_EXISTING: Final = "the SQLite file of the store; it must exist"


def _add_store(
    parser: argparse.ArgumentParser, text: str = "the SQLite file of the store; created if it does not exist"
) -> None:
    parser.add_argument("--store", type=_file, required=True, metavar="PATH", help=text)


def _file(text: str) -> Path:
    if text == ":memory:":
        raise argparse.ArgumentTypeError("must be a file, got ':memory:', which would be lost when the command ends")
    return Path(text)


def _line(text: str) -> str:
    if not text.isprintable():
        raise argparse.ArgumentTypeError(f"must be one line of printable text, got {text!r}")
    return text


def _above_zero(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"must be a number above 0 and below 1000000, got {text!r}")
    return number


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 65535, got {text!r}")
    return int(text)


def _demo(options: argparse.Namespace) -> int:
    """Import sample memories of invented people and export a profile, a timeline and a filtered list.

    Prints the code of each export with its result. The results and the SQLite file are written to a folder.
    """
    require("local", "this command")
    from mem0_exports_cli.demo import run  # noqa: PLC0415 -- an extra

    run(options.out)
    return 0


def _import(options: argparse.Namespace) -> int:
    """Import memories from a JSON Lines file: one JSON object per line.

    A line needs "memory" (the text) and at least one of user_id, agent_id, app_id and run_id. It may have id, metadata
    (an object), categories (a list of strings), created_at, updated_at and expiration_date (YYYY-MM-DD). Example:

        {"memory": "Lives in Lisbon", "user_id": "alex", "metadata": {"city": "Lisbon"}}

    Records are stored unchanged. Importing a file again adds nothing: a record with an id is the memory with this id;
    a record without one is the memory that agrees with it in everything that the record has. Lines that cannot be
    imported are listed on standard error and do not stop the import; the exit code is then 1.
    """
    with options.file.open("rb") as lines, _store(options) as store:
        from mem0_exports_engine.importer import import_lines  # noqa: PLC0415 -- an extra

        project = checked_project(options.project)
        result = import_lines(store.memories, lines, project=project, on_conflict=options.on_conflict)
    for bad in result.bad:
        print(f"{options.file}:{bad.number}: {bad.reason}", file=sys.stderr)
    if result.bad_count > len(result.bad):
        print(f"{options.file}: {result.bad_count - len(result.bad)} more lines were rejected", file=sys.stderr)
    counts = [f"{result.added} added", f"{result.known} already stored"]
    counts += [f"{count} {name}" for name in ("updated", "skipped") if (count := getattr(result, name))]
    print(", ".join([*counts, f"{result.bad_count} rejected"]))
    return 1 if result.bad else 0


def _serve(options: argparse.Namespace) -> int:
    """Serve the export API over HTTP, with memories and exports kept in one SQLite file.

    By default only programs on this machine can connect, and no API key is needed. Requests need a key once one
    has been created with 'mem0-exports keys create', or if --api-key-file or MEM0_API_KEY is set. The server
    prints its URL on standard output and logs to standard error, one JSON object per request and per finished
    export.

    SIGTERM or Ctrl-C stops it after open requests and the running export have had time to finish (--grace). A second
    signal stops it at once; no export is lost.
    """
    require("server", "this command")
    from mem0_exports_engine.server.serve import serve  # noqa: PLC0415 -- an extra

    api_key, notice = _api_key(options)
    serve(
        options.store,
        host=options.host,
        port=options.port,
        api_key=api_key,
        notice=notice,
        retention=timedelta(days=options.keep_exports),
        grace=options.grace,
        log_level=options.log_level,
    )
    return 0


def _api_key(options: argparse.Namespace) -> tuple[str | None, str | None]:
    """Return the key that all requests need, if any, and a notice about where it comes from."""
    if options.api_key is not None:
        return options.api_key, (
            "other users of this machine can see the --api-key in the list of processes; use --api-key-file, or the "
            "environment variable MEM0_API_KEY"
        )
    if options.api_key_file is not None:
        try:
            key = options.api_key_file.read_text(encoding="utf-8").partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"--api-key-file: {options.api_key_file} cannot be read: {error}") from None
        if not key:
            raise ConfigurationError(f"--api-key-file: the first line of {options.api_key_file} is empty")
        return key, None
    key = os.environ.get("MEM0_API_KEY")
    return key or None, "requests need the API key in the environment variable MEM0_API_KEY" if key else None


def _keys_create(options: argparse.Namespace) -> int:
    """Create an API key for a project and print it. It is shown only once, because the store keeps only a digest.

    A key opens the memories and exports of its own project and no others. Projects do not have to be created.
    """
    with _store(options) as store:
        key, text = create_key(store.keys, options.project, options.name, clock.now())
    print(text)
    print(f"created key {key.id} for project {key.project}; save it now, it will not be shown again", file=sys.stderr)
    return 0


def _keys_list(options: argparse.Namespace) -> int:
    """List the API keys of a store: id, project, name, and when each was created and revoked (empty if active).

    The keys themselves cannot be shown.
    """
    with _store(options, must_exist=True) as store:
        keys = store.keys.all()
    rows = [("id", "project", "name", "created", "revoked")]
    rows += [(key.id, key.project, key.name, key.created_at, key.revoked_at or "") for key in keys]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _keys_revoke(options: argparse.Namespace) -> int:
    """Revoke an API key. It takes effect immediately, also on running servers, and cannot be undone."""
    with _store(options, must_exist=True) as store:
        revoke_key(store.keys, options.id, clock.now())
    print(f"revoked key {options.id}")
    return 0


def _store(options: argparse.Namespace, *, must_exist: bool = False) -> AbstractContextManager[Store]:
    require("local", "this command")
    if must_exist and not (options.store.exists() and options.store.stat().st_size):
        problem = "is empty" if options.store.exists() else "does not exist"
        raise ConfigurationError(f"--store must be an existing store, but {str(options.store)!r} {problem}")
    return contextlib.closing(open_store(options.store))
