"""Pull the memories of a source into a store: add the new ones, replace the changed ones, delete those that are gone.

A pull can be repeated and interrupted at any point: the next one that ends makes the store equal to the source. Memories
of the store's own, and those of other sources, are never touched.
"""

from __future__ import annotations

import contextlib

from typing import TYPE_CHECKING, Final

import attrs

from mem0_exports_engine import clock
from mem0_exports_engine.importing.payloads import record_of
from mem0_exports_engine.importing.records import kept_id
from mem0_exports_engine.importing.seen import Seen
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.rows import row_for


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from mem0_exports_engine.ports import PulledStore, Row
    from mem0_exports_engine.sources.source import Source

_MAX_BATCH: Final = 1000
"""The most memories that are stored in one transaction. Others can write between two of them."""

_MAX_LETTERS: Final = 8_000_000
"""Memories are stored as soon as their texts and metadata have so many characters."""

_MAX_LISTED: Final = 1000
"""The most memories with a problem that the result lists. Further ones are only counted."""

_LARGE_LOSS: Final = 5
"""Deletions of more than one in this many memories have to be accepted."""


@attrs.frozen(slots=True)
class NotPulled:
    """A memory of the source that the store does not have."""

    id: str
    reason: str


@attrs.define(slots=True)
class Pulled:
    """The result of a pull."""

    source: str
    """The name under which the store keeps the memories."""
    added: int = 0
    """How many memories are new."""
    changed: int = 0
    """How many memories replaced an older version."""
    same: int = 0
    """How many memories the store had already."""
    gone: int = 0
    """How many memories were deleted, because the source has them no longer."""
    kept: int = 0
    """How many memories the source does not have any more, and the store still has: their number was too large."""
    taken: int = 0
    """How many memories were left out: the store has another memory with their id, which is not of this source."""
    bad: list[NotPulled] = attrs.field(factory=list)
    """The memories that cannot be kept, at most the first 1000."""
    bad_count: int = 0
    """How many memories cannot be kept."""

    @property
    def why_kept(self) -> str | None:
        """Why nothing was deleted although memories are missing; None if none are missing."""
        if not self.kept:
            return None
        return (
            f"{self.kept} memories are no longer in the source and were not deleted, because they are more than a fifth, or "
            "because the source is not known to list all that it has; if that is right, pull again and accept the deletions"
        )


def pull(
    source: Source,
    store: PulledStore,
    *,
    project: str = DEFAULT_PROJECT,
    owners: Mapping[str, str] | None = None,
    accept_deletions: bool = False,
    on_batch: Callable[[Pulled], None] | None = None,
    now: Callable[[], datetime] = clock.now,
) -> Pulled:
    """Make the copies in a store equal to the memories of a source. Return what has changed.

    Args:
        source: where the memories are.
        store: where the copies are kept.
        project: the project that gets the copies.
        owners: the ids for memories that name nobody.
        accept_deletions: delete what the source has no longer even if it is more than a fifth, or if the source is not
            certain to list all. Otherwise it is kept, and counted.
        on_batch: called after each transaction, with the result so far.
        now: returns the current time.

    Raises InputError if the source cannot be read to its end. What was read before is kept; nothing is deleted then.

    """
    done = Pulled(source.name)
    before = store.count(project, source.name)
    with Seen() as seen:
        for rows in _batches(source, project, owners or {}, done, seen, now):
            outcomes = store.put(project, source.name, rows)
            for name in ("added", "changed", "same", "taken"):
                setattr(done, name, getattr(done, name) + outcomes.count(name))
            if on_batch is not None:
                on_batch(done)
        # Only here is it known which memories are gone: the source was read to its end.
        missing = sum(len(ids) for ids in _missing(store, project, source.name, seen))
        is_small = source.is_certain and seen.count and missing * _LARGE_LOSS <= before
        if missing and not (is_small or accept_deletions):
            done.kept = missing
            return done
        for ids in _missing(store, project, source.name, seen):
            if ids:
                done.gone += store.drop(project, source.name, ids)
    return done


def _batches(
    source: Source,
    project: str,
    owners: Mapping[str, str],
    done: Pulled,
    seen: Seen,
    now: Callable[[], datetime],
) -> Iterator[list[Row]]:
    """Iterate over the rows of all memories that can be kept. All are marked as seen."""
    rows: dict[str, Row] = {}
    letters = 0
    for point in source.points():
        try:
            record = record_of(point, owners)
            row = row_for(record, project, "", now())
        except ValueError as error:  # a BadRecord, or a time out of range
            done.bad_count += 1
            if len(done.bad) < _MAX_LISTED:
                done.bad.append(NotPulled(point.id, str(error)))
            with contextlib.suppress(UnicodeEncodeError):  # no store has a memory with such an id
                seen.add([kept_id(point.id)[0]])
            continue
        rows[row["id"]] = row
        letters += len(row["memory"]) + len(row["metadata"] or "")
        if len(rows) >= _MAX_BATCH or letters >= _MAX_LETTERS:
            seen.add(rows)
            yield [*rows.values()]
            rows, letters = {}, 0
    seen.add(rows)
    if rows:
        yield [*rows.values()]


def _missing(store: PulledStore, project: str, source: str, seen: Seen) -> Iterator[list[str]]:
    """Iterate over the ids of the copies that were not seen, in batches, of which some can be empty."""
    after = ""
    while ids := store.ids(project, source, after, _MAX_BATCH):
        after = ids[-1]
        yield seen.not_among(ids)
