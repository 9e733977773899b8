"""`mem0-exports export`: make exports, wait for them, and get them again."""

from __future__ import annotations

import contextlib
import time
import warnings

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mem0_exports.errors import ConfigurationError, ExportWarning, Mem0ExportsError, StatusError
from mem0_exports.exports.ledger import Ledger
from mem0_exports.models import ExportInfo
from mem0_exports.schemas.schema import WRAPPED, Schema
from mem0_exports_cli import exit_codes, options
from mem0_exports_cli.llm_options import reading
from mem0_exports_cli.options import command, connected, group, printing, quiet, selecting
from mem0_exports_cli.printing import default_for_lists, remark
from mem0_exports_cli.progress import progress
from mem0_exports_cli.schema_argument import read_schema


if TYPE_CHECKING:
    from collections.abc import Iterator

    from mem0_exports.client import Client
    from mem0_exports.exports.ledger import LedgerEntry, OnUnknown
    from mem0_exports_cli.connection import Connection
    from mem0_exports_cli.options import Selection
    from mem0_exports_cli.printing import Output

_typed = click.option(
    "--schema", metavar="SCHEMA", help="Check the result against this schema, and take the columns of a table from it."
)


def add_to(parent: click.Group) -> click.Group:
    """Add the commands to a group, and return their own group."""
    exports = group(
        parent,
        "export",
        "Make exports of memories.\n\nA schema and a filter go in, one object of that shape comes out. Where a value comes "
        "from, the schema says: a metadata key or a field of the memory with the name of the property.",
        "mem0-exports export run models.py:Profile -u alex",
        "mem0-exports export many models.py:Profile --all-users -o profiles.jsonl",
    )
    command(
        exports,
        "run",
        "mem0-exports export run models.py:Profile -u alex",
        "mem0-exports export run 'models.py:list[Event]' -u alex --after 2024-01-01 -o events.csv",
    )(_run)
    command(
        exports,
        "create",
        "mem0-exports export create profile.json -u alex",
        "id=$(mem0-exports export create models.py:Profile -u alex --quiet)",
    )(_create)
    command(
        exports,
        "get",
        "mem0-exports export get 3f0c8a52-5c1f-4f5e-9d3e-2f2f0d9a7c11",
        "mem0-exports export get 3f0c8a52-5c1f-4f5e-9d3e-2f2f0d9a7c11 -o profile.json",
    )(_get)
    command(
        exports,
        "wait",
        "mem0-exports export wait 3f0c8a52-5c1f-4f5e-9d3e-2f2f0d9a7c11 --timeout 600",
        "mem0-exports export wait 3f0c8a52-5c1f-4f5e-9d3e-2f2f0d9a7c11 --schema models.py:Profile",
    )(_wait)
    command(exports, "list", "mem0-exports export list", "mem0-exports export list -F csv -o exports.csv")(_list)
    command(
        exports,
        "cancel",
        "mem0-exports export cancel 3f0c8a52-5c1f-4f5e-9d3e-2f2f0d9a7c11",
        "mem0-exports export cancel 3f0c8a52-5c1f-4f5e-9d3e-2f2f0d9a7c11 --quiet",
    )(_cancel)
    command(
        exports,
        "delete",
        "mem0-exports export delete 3f0c8a52-5c1f-4f5e-9d3e-2f2f0d9a7c11",
        "mem0-exports export delete 3f0c8a52-5c1f-4f5e-9d3e-2f2f0d9a7c11 --quiet",
    )(_delete)
    return exports


@connected
@click.option(
    "--ledger",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="List the exports in this ledger instead. The Platform has no list of exports.",
)
@printing
def _list(connection: Connection, ledger: Path | None, output: Output) -> None:
    """List exports, without their results.

    Lists those of the embedded engine, the newest first, or those of a ledger. A ledger also knows the exports of the
    Platform that were made with it.
    """
    if ledger is not None:
        with Ledger(ledger) as book:
            output.write((_entry(each) for each in book.entries()), default=default_for_lists())
        return
    with connection.client() as client, _only_in_the_engine("lists exports; for those of a ledger, use --ledger FILE"):
        output.write(client.exports.list(), schema=ExportInfo, default=default_for_lists())


def _entry(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "id": entry.export_id,
        "state": entry.state,
        "asked_at": entry.asked_at.isoformat(),
        "expires_at": None if entry.expires_at is None else entry.expires_at.isoformat(),
        "lost_answers": entry.lost_answers,
    }


@click.argument("export_id", metavar="ID")
@connected
@quiet
def _cancel(export_id: str, connection: Connection, quiet: bool) -> None:
    """Cancel an export of the embedded engine.

    Nothing more is done for it, and whoever waits for it is told. An export that has finished stays as it is. The
    Platform cannot cancel exports.
    """
    with connection.client() as client, _only_in_the_engine("cancels exports"):
        found = client.exports.cancel(export_id)
    if found.state == "done":
        remark(f"mem0-exports: export {export_id} was finished already", quiet=quiet)
        return
    remark(f"export {export_id} failed: {found.reason}", quiet=quiet)


@click.argument("export_ids", metavar="ID...", nargs=-1, required=True)
@connected
@quiet
def _delete(export_ids: tuple[str, ...], connection: Connection, quiet: bool) -> None:
    """Delete exports of the embedded engine, with their results.

    The memories are not touched. The Platform deletes its exports by itself after 7 days.
    """
    with connection.client() as client, _only_in_the_engine("deletes exports"):
        for export_id in export_ids:
            client.exports.delete(export_id)
            remark(f"deleted {export_id}", quiet=quiet)


@contextlib.contextmanager
def _only_in_the_engine(what: str) -> Iterator[None]:
    """Explain the 404 of a service that does not have an operation; 404 for an export that is unknown stays as it is."""
    try:
        yield
    except StatusError as error:
        if error.message == "No such export" or error.status not in {404, 405}:
            raise
        problem = f"only the embedded engine {what} (--store, or 'mem0-exports serve'); this service does not"
    else:
        return
    raise ConfigurationError(problem)


@click.argument("schema")
@connected
@reading
@selecting
@options.instructions
@options.timeout
@options.strict
@options.ledger
@options.on_unknown
@options.new_key
@printing
def _run(
    schema: str,
    connection: Connection,
    selection: Selection,
    instructions: str | None,
    timeout: float,
    strict: bool,
    ledger: Path | None,
    on_unknown: OnUnknown,
    new_key: bool,
    output: Output,
) -> None:
    """Make an export and print it.

    SCHEMA says what to export into: MODULE:TYPE such as app.models:Profile, FILE.py:TYPE (also list[TYPE], for one
    record per memory), or a file with a JSON Schema.
    """
    found, where = read_schema(schema), selection.filters()
    with ExitStack() as stack:
        client = stack.enter_context(connection.client())
        book = None if ledger is None else stack.enter_context(Ledger(ledger, on_unknown=on_unknown, new_key=new_key))
        show = stack.enter_context(progress("waiting for the export", quiet=output.quiet))
        if book is None:
            started = time.monotonic()
            made = client.exports.create(found, where, instructions=instructions, timeout=timeout)
            left = max(0.001, timeout - (time.monotonic() - started))
            with _interruptible(made.id, connection):
                result = made.result(left, strict=strict, on_poll=lambda _polls, seconds: show(seconds))
        else:
            with _interruptible(None, connection):
                result = client.exports.run(
                    found,
                    where,
                    timeout=timeout,
                    instructions=instructions,
                    strict=strict,
                    ledger=book,
                    on_poll=lambda _polls, seconds: show(seconds),
                )
    output.write(_rows(result, output), schema=found)


@contextlib.contextmanager
def _interruptible(export_id: str | None, connection: Connection) -> Iterator[None]:
    """Say after Ctrl-C how to go on: with the id of the export, or with the ledger if None."""
    try:
        yield
    except KeyboardInterrupt:
        how = "the same command goes on with it"
        if export_id is not None:
            how = f"go on with: mem0-exports export wait {export_id}{connection.place}"
        remark(f"\ninterrupted while waiting for the export; {how}")
        raise


@click.argument("schema")
@connected
@reading
@selecting
@options.instructions
@quiet
def _create(
    schema: str,
    connection: Connection,
    selection: Selection,
    instructions: str | None,
    quiet: bool,
) -> None:
    """Start an export and print its id.

    SCHEMA is MODULE:TYPE, FILE.py:TYPE or a file with a JSON Schema. 'mem0-exports export wait ID' gets the result. With
    --store, the export is made before the command ends, because no server would make it afterwards.
    """
    found, where = read_schema(schema), selection.filters()
    with connection.client() as client:
        export = client.exports.create(found, where, instructions=instructions)
        print(export.id, flush=True)
        if connection.store is not None:
            _let_it_finish(client, export.id)
    remark(f"get the result with: mem0-exports export wait {export.id}{connection.place}", quiet=quiet)


@click.argument("export_id", metavar="ID")
@connected
@_typed
@printing
def _get(
    export_id: str,
    connection: Connection,
    schema: str | None,
    output: Output,
) -> int:
    """Print an export, if it is ready.

    Exit code 4: it is not ready, has failed or expired, or never existed.
    """
    found = _any_object() if schema is None else read_schema(schema)
    with connection.client() as client:
        result = client.exports.get(export_id, found).poll()
    if result is None:
        remark(f"mem0-exports: export {export_id} is not ready, has failed or expired, or does not exist")
        return exit_codes.NOT_FOUND
    output.write(_rows(result, output), schema=None if schema is None else found)
    return exit_codes.DONE


@click.argument("export_id", metavar="ID")
@connected
@reading
@_typed
@options.timeout
@printing
def _wait(
    export_id: str,
    connection: Connection,
    schema: str | None,
    timeout: float,
    output: Output,
) -> None:
    """Wait for an export and print it.

    Exit code 5: it was not ready in time; it goes on, so wait again.
    """
    found = _any_object() if schema is None else read_schema(schema)
    with connection.client() as client, progress("waiting for the export", quiet=output.quiet) as show:
        handle = client.exports.get(export_id, found)
        with _interruptible(export_id, connection):
            result = handle.result(timeout, on_poll=lambda _polls, seconds: show(seconds))
    output.write(_rows(result, output), schema=None if schema is None else found)


def _let_it_finish(client: Client, export_id: str) -> None:
    """Wait for an export of the embedded engine. It runs in this process, and would stop when the process ends."""
    with contextlib.suppress(Mem0ExportsError), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExportWarning)
        client.exports.get(export_id, _any_object()).result()


def _any_object() -> Schema[Any]:
    return Schema.of({"type": "object"}, validate="off")


def _rows(result: Any, output: Output) -> Any:
    """Return what the rows of a table are: the items of an object that only wraps a list, as JSON Schemas have to."""
    if output.format in {None, "json"} or not isinstance(result, dict) or result.keys() != {WRAPPED}:
        return result
    return result[WRAPPED]
