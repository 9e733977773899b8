"""What a source is: it yields the payloads of Mem0's vector store, each with its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from mem0_exports.errors import InputError


if TYPE_CHECKING:
    from collections.abc import Iterator

COLLECTION = "mem0"
"""The name of the collection that Mem0 uses unless its configuration says otherwise."""


class Point(NamedTuple):
    """A memory as Mem0's vector store has it."""

    id: str
    payload: dict[str, Any]
    """The text (`data`), the ids of its owners, its times, and the user's metadata, all flat."""


class Source(Protocol):
    """A place where open-source Mem0 keeps memories. It is only read, and nothing is created there."""

    @property
    def name(self) -> str:
        """The name under which the store keeps its copies. A password is never a part of it."""
        ...

    @property
    def is_certain(self) -> bool:
        """Whether `points` is known to give all memories. If not, what is missing may still be there."""
        ...

    def points(self) -> Iterator[Point]:
        """Read all memories, in any order. Raises InputError if the source cannot be read, or not to its end."""
        ...


def unreadable(what: str) -> InputError:
    """Return the error for a source that cannot be read."""
    return InputError(what, field="source")


def unknown_collection(name: str, others: list[str], where: str) -> InputError:
    """Return the error for a collection that the source does not have."""
    # Mem0 keeps lists of entities and a log of its migrations in collections of their own.
    memories = sorted(other for other in others if not other.endswith("_entities") and other != "mem0migrations")
    there = f"it has {', '.join(map(repr, memories))}; name one with --collection" if memories else "it has none"
    return InputError(f"{where} has no collection {name!r}: {there}", field="collection")
