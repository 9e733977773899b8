"""`mem0-exports memories` and `mem0-exports entities`: list what a service has."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from mem0_exports.models import Entity, Memory
from mem0_exports_cli.options import command, connected, group, printing, selecting
from mem0_exports_cli.printing import default_for_lists, remark
from mem0_exports_cli.progress import progress


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    from mem0_exports_cli.connection import Connection
    from mem0_exports_cli.options import Selection
    from mem0_exports_cli.printing import Output

    T = TypeVar("T")

_limit = click.option("--limit", type=click.IntRange(1), metavar="N", help="List at most so many. Default: all.")


def add_to(parent: click.Group) -> None:
    """Add the commands to a group."""
    memories = group(
        parent,
        "memories",
        "Read memories as they are stored.",
        "mem0-exports memories list -u alex",
        "mem0-exports memories list -u alex -o memories.csv",
    )
    command(
        memories,
        "list",
        "mem0-exports memories list -u alex",
        "mem0-exports memories list -u alex --where 'F.created_at >= \"2024-01-01\"' -o memories.csv",
    )(_memories)
    entities = group(
        parent,
        "entities",
        "Read who has memories: users, agents, apps and runs.",
        "mem0-exports entities list",
        "mem0-exports entities list --type user -o users.csv",
    )
    command(
        entities,
        "list",
        "mem0-exports entities list",
        "mem0-exports entities list --type user --json",
    )(_entities)


@connected
@selecting
@click.option("--show-expired", is_flag=True, help="List memories after their expiration date too.")
@_limit
@printing
def _memories(
    connection: Connection,
    selection: Selection,
    show_expired: bool,
    limit: int | None,
    output: Output,
) -> None:
    """List memories, oldest first.

    Prints a table on a terminal, JSON Lines in a pipe.
    """
    where = selection.filters()
    with connection.client() as client, progress("memories", quiet=output.quiet) as show:
        found = islice(client.memories.list(where, show_expired=show_expired), limit)
        counted = _Counted(found, show)
        output.write(iter(counted), schema=Memory, default=default_for_lists())
    if not counted.count:
        remark("no memory matches; 'mem0-exports entities list' shows who has memories", quiet=output.quiet)


@connected
@click.option(
    "--type", "kind", type=click.Choice(["user", "agent", "app", "run"]), help="List only entities of this type."
)
@_limit
@printing
def _entities(
    connection: Connection,
    kind: str | None,
    limit: int | None,
    output: Output,
) -> None:
    """List who has memories: users, agents, apps and runs."""
    with connection.client() as client, progress("entities", quiet=output.quiet) as show:
        entities = (entity for entity in client.entities.list() if kind is None or entity.type == kind)
        counted = _Counted(islice(entities, limit), show)
        output.write(iter(counted), schema=Entity, default=default_for_lists())
    if not counted.count:
        remark("nobody has memories here", quiet=output.quiet)


class _Counted:
    """An iterable that counts, and shows how far it is."""

    def __init__(self, items: Iterable[T], show: Callable[[float], None]) -> None:
        self.count = 0
        self._items: Iterable[object] = items
        self._show = show

    def __iter__(self) -> Iterator[object]:
        for item in self._items:
            self.count += 1
            if self.count % 100 == 0:
                self._show(self.count)
            yield item
