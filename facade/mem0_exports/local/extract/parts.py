"""What an extraction reads from and writes to, so that neither all memories nor a long list need to be in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from mem0_exports.local.json_text import dump


if TYPE_CHECKING:
    from collections.abc import Mapping

    from mem0_exports.local.extract.lookup import Record


class Batch(Protocol):
    """Some of the memories, oldest first."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def records(self) -> list[Record]:
        """Them as records."""
        ...

    def objects(self, fields: Mapping[str, str]) -> str | None:
        """Them as JSON objects with commas between them: for each name this field of theirs.

        None where one of them has no value for one of the fields.
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
