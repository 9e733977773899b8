"""`mem0-exports pull`: the memories of open-source Mem0 into a store."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import click

from mem0_exports_cli import exit_codes
from mem0_exports_cli.connection import copy_of, opened
from mem0_exports_cli.options import command, owners_of, owning, project, quiet, store
from mem0_exports_cli.printing import remark
from mem0_exports_cli.progress import progress
from mem0_exports_engine.extras import require
from mem0_exports_engine.projects import checked_project


if TYPE_CHECKING:
    from pathlib import Path

    from mem0_exports_engine.importing.pull import Pulled

_SHOWN: Final = 20
"""The most memories with a problem that are shown. The rest is counted."""


def add_to(parent: click.Group) -> None:
    """Add the command to a group."""
    command(
        parent,
        "pull",
        "mem0-exports pull qdrant --store memories.db",
        "mem0-exports pull faiss --collection mem0 --store memories.db --dry-run",
    )(_pull)


@click.argument("source", metavar="SOURCE")
@store
@project
@click.option("--collection", metavar="NAME", help="The name of Mem0's collection. [default: mem0]")
@click.option(
    "--accept-deletions",
    is_flag=True,
    help="Delete the copies of memories that the source has no longer, even if they are more than a fifth.",
)
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@owning
@quiet
def _pull(
    source: str,
    store: Path,
    project: str,
    collection: str | None,
    accept_deletions: bool,
    dry_run: bool,
    quiet: bool,
    **ids: str | None,
) -> int:
    """Copy the memories of open-source Mem0 into a store.

    SOURCE is the folder of Qdrant, Chroma or FAISS ("path" in the configuration of Mem0), or postgresql://... for
    pgvector. It is only read, also while an application uses it, and no key is needed.

    Then everything works on the copies: 'export run', 'memories list', 'dump', 'serve'. Pull again to bring them up to
    date: new memories are added, changed ones replaced, and those that are gone are deleted. Memories that do not come
    from this source stay as they are. A pull that was interrupted can be repeated.

    Exit code 7: some memories cannot be kept, or were not deleted because they are more than a fifth.
    """
    require("local", "this command")
    from mem0_exports_engine.importing.pull import pull  # noqa: PLC0415 -- an extra
    from mem0_exports_engine.sources.folders import source_at  # noqa: PLC0415 -- an extra

    found = source_at(source, collection)
    with ExitStack() as stack:
        target = stack.enter_context(copy_of(store)) if dry_run else store
        memories = stack.enter_context(opened(target))
        show = stack.enter_context(progress("pulling", quiet=quiet))
        done = pull(
            found,
            memories.pulled,
            project=checked_project(project),
            owners=owners_of(ids),
            accept_deletions=accept_deletions,
            on_batch=lambda so_far: show(so_far.added + so_far.changed + so_far.same),
        )
    _show_problems(done)
    print(f"{'dry run: ' if dry_run else ''}{_counts(done)}")
    return exit_codes.PARTLY if done.bad_count or done.kept or done.taken else exit_codes.DONE


def _counts(done: Pulled) -> str:
    counts = [f"{done.added} added", f"{done.changed} changed", f"{done.same} the same", f"{done.gone} gone"]
    left = [("not deleted", done.kept), ("with the id of another memory", done.taken), ("rejected", done.bad_count)]
    return ", ".join([*counts, *(f"{count} {what}" for what, count in left if count)])


def _show_problems(done: Pulled) -> None:
    for bad in done.bad[:_SHOWN]:
        remark(f"{bad.id}: {bad.reason}")
    if done.bad_count > _SHOWN:
        remark(f"{done.bad_count - _SHOWN} more memories cannot be kept")
    if done.why_kept is not None:
        remark(f"{done.why_kept} (--accept-deletions)")
    if done.taken:
        remark(
            f"{done.taken} memories were left out: the store has memories with their ids that do not come from this source"
        )
