"""What an extraction reads from and writes to, so that neither all memories nor a long list need to be in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from mem0_exports_engine.json_text import dump


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Place(NamedTuple):
    """A place in a memory: one of its own fields, or else a key of its metadata."""

    own: str | None = None
    key: str | None = None


class Written(NamedTuple):
    """Memories as JSON objects, written somewhere else."""

    text: str
    """The objects, with commas between them."""
    lacking: list[tuple[int, dict[str, Any] | None]]
    """Those that have a null where a memory has nothing: which they are, and the metadata of the memory."""


class Batch(Protocol):
    """Some of the memories, oldest first."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def records(self, fields: Collection[str]) -> list[dict[str, Any]]:
        """Them as records, with these fields and perhaps others."""
        ...

    def objects(self, places: Mapping[str, Place]) -> Written | None:
        """Them as JSON objects: for each name what stands at a place of each memory, or null.

        None where one of them may have a list among its metadata, or where it cannot be done.
        """
        ...


class Parts(Protocol):
    """Where long lists of the result go, piece by piece. Each list has a number, its place."""

    def put(self, place: int, items: bytes) -> None:
        """Take some more items of a list: JSON texts with commas between them."""
        ...

    def drop(self, place: int) -> None:
        """Forget all items of a list."""
        ...


class Apart(NamedTuple):
    """Stands in the result for a list whose items are among the parts."""

    place: int


def frame_of(data: dict[str, Any]) -> list[str | int]:
    """The JSON text of a result in pieces, with a number for each list that stands apart: its items belong there."""
    frame: list[str | int] = []
    text = "{"
    for name, value in data.items():
        comma = "" if text.endswith("{") and not frame else ","
        text += f"{comma}{dump(name).decode()}:"
        if isinstance(value, Apart):
            frame += [text + "[", value.place]
            text = "]"
        else:
            text += dump(value).decode()
    return [*frame, text + "}"]
