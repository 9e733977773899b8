"""`mem0-exports export`: make exports, wait for them, and get them again."""

from __future__ import annotations

import contextlib
import sys
import warnings

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mem0_exports.errors import ExportWarning, InputError, Mem0ExportsError
from mem0_exports.exports.handles import TIMEOUT
from mem0_exports.exports.ledger import Ledger
from mem0_exports.exports.outcomes import ExportRequest
from mem0_exports.filters.fields import F
from mem0_exports.filters.tree import Filter
from mem0_exports.output.rows import json_value
from mem0_exports.schemas.schema import WRAPPED, Schema
from mem0_exports_cli import exit_codes
from mem0_exports_cli.options import SECONDS, command, connected, group, printing, quiet, selecting
from mem0_exports_cli.printing import remark
from mem0_exports_cli.progress import progress
from mem0_exports_cli.schema_argument import read_schema


if TYPE_CHECKING:
    from collections.abc import Iterator

    from mem0_exports.client import Client
    from mem0_exports.exports.ledger import OnUnknown
    from mem0_exports.exports.outcomes import ExportOutcome, ExportProgress
    from mem0_exports_cli.connection import Connection
    from mem0_exports_cli.options import Selection
    from mem0_exports_cli.printing import Output

_schema = click.argument("schema")

_timeout = click.option(
    "--timeout", type=SECONDS, default=TIMEOUT, metavar="SECONDS", show_default=True, help="How long to wait."
)
_instructions = click.option(
    "--instructions", metavar="TEXT", help="Guidance for the service's language model, in plain language."
)
_strict = click.option(
    "--strict", is_flag=True, help="Fail with exit code 7 if the export found nothing or left records out."
)
_ledger = click.option(
    "--ledger",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Remember the export in this file, so that the same command goes on with it after a crash.",
)
_on_unknown = click.option(
    "--on-unknown",
    type=click.Choice(["raise", "skip", "ask_again"]),
    default="raise",
    show_default=True,
    help="With --ledger: what to do with an export whose answer was lost, so that it may exist: fail, leave it out, or ask "
    "again, which can make it twice.",
)
_new_key = click.option("--new-key", is_flag=True, help="With --ledger: go on with a new API key of the same account.")
_typed = click.option(
    "--schema", metavar="SCHEMA", help="Check the result against this schema, and take the columns of a table from it."
)


def add_to(parent: click.Group) -> None:
    """Add the commands to a group."""
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
    command(
        exports,
        "many",
        "mem0-exports export many models.py:Profile --users users.txt --ledger night.db -o profiles.jsonl",
        "mem0-exports export many models.py:Profile --all-users -j 16 -o profiles.csv",
    )(_many)


@_schema
@connected
@selecting
@_instructions
@_timeout
@_strict
@_ledger
@_on_unknown
@_new_key
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
        with progress("waiting for the export", quiet=output.quiet) as show:
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


@_schema
@connected
@selecting
@_instructions
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
@_typed
@_timeout
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
        result = handle.result(timeout, on_poll=lambda _polls, seconds: show(seconds))
    output.write(_rows(result, output), schema=None if schema is None else found)


@_schema
@connected
@click.option("-u", "--user-id", "users", multiple=True, metavar="ID", help="Export this user; can be repeated.")
@click.option(
    "--users", "users_file", metavar="FILE", help="Export the users in this file, one id per line; - is standard input."
)
@click.option("--all-users", is_flag=True, help="Export all users.")
@click.option(
    "--where", metavar="FILTER", help="A further filter for all users; see 'mem0-exports filter check --help'."
)
@_instructions
@_timeout
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, 100),
    default=8,
    show_default=True,
    help="How many exports are in progress at once.",
)
@_strict
@_ledger
@_on_unknown
@_new_key
@printing
def _many(
    schema: str,
    connection: Connection,
    users: tuple[str, ...],
    users_file: str | None,
    all_users: bool,
    where: str | None,
    instructions: str | None,
    timeout: float,
    jobs: int,
    strict: bool,
    ledger: Path | None,
    on_unknown: OnUnknown,
    new_key: bool,
    output: Output,
) -> int:
    """Make an export for each of many users.

    Prints a record for each: user_id, status, export_id, data and error.

    With --ledger, the same command goes on where an interrupted one has stopped, and no export is made twice. Exit code
    7: some exports have failed; their records say why.
    """
    from mem0_exports_cli.where import read_where  # noqa: PLC0415 -- only here

    found = read_schema(schema)
    further = None if where is None else read_where(where)
    if further is not None and not isinstance(further, Filter):
        further = Filter.from_dict(further)
    counts = {"ready": 0, "failed": 0}
    flat = (output.format or "jsonl") not in {"json", "jsonl"}
    with ExitStack() as stack:
        client = stack.enter_context(connection.client())
        names = [*dict.fromkeys([*users, *_users_in(users_file)])]
        if all_users:
            names = [*dict.fromkeys([*names, *(each.name for each in client.entities.list() if each.type == "user")])]
        if not names:
            raise InputError("say which users: --users FILE, --all-users or -u USER", field="users")
        book = None if ledger is None else stack.enter_context(Ledger(ledger, on_unknown=on_unknown, new_key=new_key))
        show = stack.enter_context(progress("exports", len(names), quiet=output.quiet))
        outcomes = client.exports.run_many(
            (ExportRequest(found, _of(name, further), tag=name, instructions=instructions) for name in names),
            concurrency=jobs,
            timeout=timeout,
            ordered=True,
            strict=strict,
            ledger=book,
            on_progress=lambda step: show(_finished(step)),
        )

        def records() -> Iterator[dict[str, Any]]:
            for outcome in outcomes:
                counts["ready" if outcome.status == "ready" else "failed"] += 1
                yield _record(outcome, flat=flat)

        try:
            output.write(records(), default="jsonl")
        except KeyboardInterrupt:
            remark(_how_to_go_on(counts, len(names), ledger))
            raise
    remark(f"{counts['ready']} of {len(names)} exports are ready, {counts['failed']} failed", quiet=output.quiet)
    if not counts["failed"]:
        return exit_codes.DONE
    return exit_codes.PARTLY if counts["ready"] else exit_codes.FAILED


def _let_it_finish(client: Client, export_id: str) -> None:
    """Wait for an export of the embedded engine. It runs in this process, and would stop when the process ends."""
    with contextlib.suppress(Mem0ExportsError), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExportWarning)
        client.exports.get(export_id, _any_object()).result()


def _of(name: str, further: Filter | None) -> Filter:
    mine = F.user_id == name
    return mine if further is None else mine & further


def _finished(step: ExportProgress) -> int:
    return step.finished


def _record(outcome: ExportOutcome[Any], *, flat: bool) -> dict[str, Any]:
    """Return the record of one export. A table has the fields of the data as columns of their own."""
    head = {"user_id": outcome.request.tag, "status": outcome.status, "export_id": outcome.export_id}
    error = None if outcome.error is None else str(outcome.error)
    data = None if outcome.error is not None else json_value(outcome.value)
    if flat and isinstance(data, dict):
        return {
            **head,
            "error": error,
            "warning": None if outcome.warning is None else str(outcome.warning),
            **{name if name not in head else f"data.{name}": each for name, each in data.items()},
        }
    found: dict[str, Any] = {**head, "data": data, "error": error}
    if outcome.warning is not None:
        found["warning"] = str(outcome.warning)
    return found


def _users_in(name: str | None) -> list[str]:
    if name is None:
        return []
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"--users: {name} is not UTF-8: {error}", field="users") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _how_to_go_on(counts: dict[str, int], total: int, ledger: Path | None) -> str:
    done = counts["ready"] + counts["failed"]
    how = "the same command makes all of them again; with --ledger FILE, it would go on from here"
    if ledger is not None:
        how = f"the same command goes on from here: {ledger} has the ids and the results"
    return f"\ninterrupted after {done} of {total} exports; {how}"


def _any_object() -> Schema[Any]:
    return Schema.of({"type": "object"}, validate="off")


def _rows(result: Any, output: Output) -> Any:
    """Return what the rows of a table are: the items of an object that only wraps a list, as JSON Schemas have to."""
    if output.format in {None, "json"} or not isinstance(result, dict) or result.keys() != {WRAPPED}:
        return result
    return result[WRAPPED]
