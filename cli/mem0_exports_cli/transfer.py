"""`mem0-exports dump` and `mem0-exports import`: all memories out of a store, and memories into one."""

from __future__ import annotations

import contextlib
import sys

from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from mem0_exports.errors import Mem0ExportsError
from mem0_exports.filters.fields import F
from mem0_exports_cli import exit_codes
from mem0_exports_cli.connection import came_from_environment, check_store, copy_of, opened
from mem0_exports_cli.options import command, connected, owners_of, owning, quiet
from mem0_exports_cli.printing import Output, remark
from mem0_exports_cli.progress import progress
from mem0_exports_engine.extras import require
from mem0_exports_engine.ports import ON_CONFLICT
from mem0_exports_engine.projects import checked_project


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mem0_exports.client import Client
    from mem0_exports_cli.connection import Connection
    from mem0_exports_engine.importing.importer import Imported
    from mem0_exports_engine.importing.sources import Source
    from mem0_exports_engine.ports import MemoryStore, OnConflict

_SHOWN: Final = 20
"""The most rejected lines that are shown. The rest is counted."""


def add_to(parent: click.Group) -> None:
    """Add the commands to a group."""
    command(
        parent,
        "dump",
        "mem0-exports dump -o memories.jsonl",
        "mem0-exports dump | mem0-exports import - --store copy.db",
    )(_dump)
    command(
        parent,
        "import",
        "mem0-exports import memories.jsonl --store memories.db",
        "mem0-exports import notes.csv --user-id alex --store memories.db --dry-run",
        "mem0-exports import memories.jsonl --to platform --dry-run",
    )(_import)


@connected
@click.option("-o", "--output", "path", metavar="FILE", help="Write to this file; - is standard output. [default: -]")
@quiet
def _dump(connection: Connection, path: str | None, quiet: bool) -> None:
    """Write all memories as JSON Lines.

    Each memory is a line with all its fields, also if it has expired.

    'mem0-exports import' reads them into another store, where each memory is as it was: with its id, its times and its
    metadata. API keys and exports are not memories and stay where they are.
    """
    output = Output(None if path == "-" else path, "jsonl")
    with ExitStack() as stack:
        show = stack.enter_context(progress("memories", quiet=quiet))
        if connection.store is not None:
            check_store(connection.store)
            found = stack.enter_context(opened(connection.store))
            records = found.memories.everything(checked_project(connection.project))
        else:
            records = _of_service(stack.enter_context(connection.client()))
        count = 0

        def counted() -> Iterator[dict[str, Any]]:
            nonlocal count
            for record in records:
                count += 1
                if count % 100 == 0:
                    show(count)
                yield {name: value for name, value in record.items() if value is not None}

        output.write(counted(), default="jsonl")
    remark(f"{count} {'memory' if count == 1 else 'memories'} written", quiet=quiet)


def _of_service(client: Client) -> Iterator[dict[str, Any]]:
    """Iterate over the memories of all users, agents, apps and runs of a service, each of them once."""
    seen: set[str] = set()
    for entity in client.entities.list():
        where = getattr(F, f"{entity.type}_id") == entity.name
        for memory in client.memories.list(where, show_expired=True):
            if memory.id not in seen:
                seen.add(memory.id)
                yield memory.to_dict()


@click.argument("file", metavar="FILE")
@click.option(
    "--to",
    type=click.Choice(["store", "platform"]),
    default="store",
    show_default=True,
    help="Into a file of the embedded engine (--store), or to the Mem0 Platform or the service at --base-url.",
)
@connected
@owning
@click.option(
    "--on-conflict",
    type=click.Choice(ON_CONFLICT),
    default="error",
    show_default=True,
    help="What to do with a record that is another version of a memory in the store: keep the memory, replace it, or "
    "reject the record.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be imported, and change nothing.")
@click.option(
    "--start-at",
    type=click.IntRange(1),
    default=1,
    metavar="NUMBER",
    help="With --to platform: begin with this line or record, after an interruption.",
)
@quiet
def _import(
    file: str,
    to: str,
    connection: Connection,
    on_conflict: OnConflict,
    dry_run: bool,
    start_at: int,
    quiet: bool,
    **ids: str | None,
) -> int:
    """Import memories from a file.

    FILE can be - for standard input.

    The format is recognized: JSON Lines, JSON documents (lists, pages of a Mem0 service, and the file of Mem0's
    migration script), CSV with a header, OpenMemory's zip archive, and the Markdown of Mem0's coding plugin; also compressed
    with gzip, and with a byte order mark or in UTF-16.

    A record needs "memory" (the text; "text" and "content" work too) and at least one of user_id, agent_id, app_id and
    run_id. It may have id, metadata (an object), categories (a list of strings), created_at, updated_at and
    expiration_date (YYYY-MM-DD). Other fields are kept in the metadata, under "mem0_raw".

    Records are stored unchanged. Importing a file again adds nothing: a record with an id is the memory with this id; a
    record without one is the memory that agrees with it in everything that the record has. Records that cannot be
    imported do not stop the import; 20 of them are shown. Exit code 7: some were rejected.

    A service keeps less: with --to platform, each memory gets a new id, and updated_at and categories are not sent.
    """
    require("local", "this command")
    from mem0_exports_engine.importing.sources import open_source  # noqa: PLC0415 -- an extra

    connection = _target(to, connection, on_conflict, start_at)
    name = "standard input" if file == "-" else file
    owners = owners_of(ids)
    with ExitStack() as stack:
        data = sys.stdin.buffer if file == "-" else stack.enter_context(Path(file).open("rb"))
        source = open_source(data)
        remark(f"{name}: {source.format}", quiet=quiet)
        show = stack.enter_context(progress("importing", _size(data), quiet=quiet, of_bytes=True))

        def advance() -> None:
            with contextlib.suppress(OSError):  # a pipe has no position
                show(data.tell())

        if connection.store is not None:
            target = stack.enter_context(copy_of(connection.store)) if dry_run else connection.store
            memories = stack.enter_context(opened(target)).memories
            result = _store(source, memories, checked_project(connection.project), on_conflict, owners, advance)
        else:
            client = None if dry_run else stack.enter_context(connection.client())
            result = _send(source, client, owners, start_at, advance, quiet=quiet)
    _show_rejected(result, name, source)
    print(f"{'dry run: ' if dry_run else ''}{_counts(result)}")
    if not result.bad_count:
        return exit_codes.DONE
    return exit_codes.PARTLY if result.added + result.known + result.updated + result.skipped else exit_codes.FAILED


def _target(to: str, connection: Connection, on_conflict: OnConflict, start_at: int) -> Connection:
    """Return where to import to. Raises click.UsageError if the options do not fit together."""
    if to == "platform" and connection.store is not None and came_from_environment("store"):
        return _target(to, connection._replace(store=None), on_conflict, start_at)
    if to == "store" and connection.store is None:
        raise click.UsageError("Missing option '--store'; with --to platform, the memories are sent to a service.")
    if to == "store" and connection.base_url is not None and not came_from_environment("base_url"):
        raise click.UsageError("--base-url is for --to platform; --store is a file of the embedded engine")
    if to == "store" and start_at != 1:
        raise click.UsageError("--start-at is for --to platform: an import into a store can simply be repeated")
    if to == "platform" and connection.store is not None:
        raise click.UsageError("--store and --to platform exclude each other")
    if to == "platform" and on_conflict != "error":
        raise click.UsageError("--on-conflict is for --to store: a service gives every memory a new id")
    return connection


def _store(
    source: Source,
    memories: MemoryStore,
    project: str,
    on_conflict: OnConflict,
    owners: dict[str, str],
    advance: Callable[[], None],
) -> Imported:
    from mem0_exports_engine.importing.importer import import_found  # noqa: PLC0415 -- an extra

    so_far: list[Imported] = []

    def on_batch(result: Imported) -> None:
        so_far[:] = [result]
        advance()

    try:
        return import_found(
            source.found,
            memories,
            project=project,
            on_conflict=on_conflict,
            owners=owners,
            unit=source.unit,
            on_batch=on_batch,
        )
    except KeyboardInterrupt:
        done = _counts(so_far[-1]) if so_far else "nothing imported"
        remark(f"\ninterrupted: {done}; import the file again to go on, nothing is added twice")
        raise


def _send(
    source: Source,
    client: Client | None,
    owners: dict[str, str],
    start_at: int,
    advance: Callable[[], None],
    *,
    quiet: bool,
) -> Imported:
    from mem0_exports_cli.sending import NOT_KEPT, Sending  # noqa: PLC0415 -- an extra

    remark(NOT_KEPT, quiet=quiet)
    sending = Sending(client, owners, source.unit)
    try:
        sending.send(source.found, start_at, advance)
    except (Mem0ExportsError, KeyboardInterrupt):
        remark(
            f"\nstopped at {source.unit} {sending.number}: {_counts(sending.result)}; go on with: --start-at {sending.number}"
        )
        raise
    return sending.result


def _size(file: IO[bytes]) -> int | None:
    """Return the size of a file, or None for a pipe."""
    try:
        position = file.tell()
        size = file.seek(0, 2)
        file.seek(position)
    except OSError:
        return None
    return size


def _counts(result: Imported) -> str:
    counts = [f"{result.added} added", f"{result.known} already stored"]
    counts += [f"{count} {name}" for name in ("updated", "skipped") if (count := getattr(result, name))]
    return ", ".join([*counts, f"{result.bad_count} rejected"])


def _show_rejected(result: Imported, name: str, source: Source) -> None:
    for bad in result.bad[:_SHOWN]:
        place = f"{name}:{bad.number}" if source.unit == "line" else f"{name}: record {bad.number}"
        remark(f"{place}: {bad.reason}")
    if result.bad_count > _SHOWN:
        remark(f"{name}: {result.bad_count - _SHOWN} more {source.unit}s were rejected")
