"""`mem0-exports export many`: an export for each of many users."""

from __future__ import annotations

import sys

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mem0_exports.errors import InputError
from mem0_exports.exports.ledger import Ledger
from mem0_exports.exports.outcomes import ExportRequest
from mem0_exports.filters.fields import F
from mem0_exports.filters.tree import Filter
from mem0_exports.output.rows import json_value
from mem0_exports_cli import exit_codes, options
from mem0_exports_cli.llm_options import reading
from mem0_exports_cli.options import command, connected, printing
from mem0_exports_cli.printing import remark
from mem0_exports_cli.progress import progress
from mem0_exports_cli.schema_argument import read_schema
from mem0_exports_cli.where import read_where


if TYPE_CHECKING:
    from collections.abc import Iterator

    from mem0_exports.exports.ledger import OnUnknown
    from mem0_exports.exports.outcomes import ExportOutcome, ExportProgress
    from mem0_exports_cli.connection import Connection
    from mem0_exports_cli.printing import Output


def add_to(exports: click.Group) -> None:
    """Add the command to a group."""
    command(
        exports,
        "many",
        "mem0-exports export many models.py:Profile --users users.txt --ledger night.db -o profiles.jsonl",
        "mem0-exports export many models.py:Profile --all-users -j 16 -o profiles.csv",
    )(_many)


@click.argument("schema")
@connected
@reading
@click.option("-u", "--user-id", "users", multiple=True, metavar="ID", help="Export this user; can be repeated.")
@click.option(
    "--users", "users_file", metavar="FILE", help="Export the users in this file, one id per line; - is standard input."
)
@click.option("--all-users", is_flag=True, help="Export all users.")
@click.option(
    "--where", metavar="FILTER", help="A further filter for all users; see 'mem0-exports filter check --help'."
)
@options.instructions
@options.timeout
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, 100),
    default=8,
    show_default=True,
    help="How many exports are in progress at once.",
)
@options.strict
@options.ledger
@options.on_unknown
@options.new_key
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
