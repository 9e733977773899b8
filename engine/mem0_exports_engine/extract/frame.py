"""The frame of a result: its JSON text, in which the items of long lists are left out and numbered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mem0_exports_engine.json_text import dump


if TYPE_CHECKING:
    from mem0_exports_engine.ports import Frame


class ListInSink(NamedTuple):
    """Stands in a result for a list whose items are in the sink."""

    list_index: int


def frame_of(data: dict[str, Any]) -> Frame:
    """Return the JSON text of a result in pieces, with a number for each list whose items are in the sink."""
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
