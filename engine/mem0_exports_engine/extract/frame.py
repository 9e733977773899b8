"""Make the frame of a result: its JSON text, in which a number stands for the items of each list in the sink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mem0_exports_engine.json_text import dump


if TYPE_CHECKING:
    from mem0_exports_engine.ports import Frame


class ListInSink(NamedTuple):
    """Stands in a result for a list whose items were put into the sink."""

    list_index: int


def frame_of(data: dict[str, Any]) -> Frame:
    """Return the JSON text of a result in pieces, with the index of the list in place of each `ListInSink`."""
    frame: Frame = []
    text = "{"
    for name, value in data.items():
        comma = "" if text.endswith("{") and not frame else ","
        text += f"{comma}{dump(name).decode()}:"
        if isinstance(value, ListInSink):
            frame += [text + "[", value.list_index]
            text = "]"
        else:
            text += dump(value).decode()
    return [*frame, text + "}"]
