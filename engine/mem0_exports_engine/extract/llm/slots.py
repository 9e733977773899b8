"""Take the properties that are asked for apart into what is merged on its own: scalars, lists, and records."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import attrs

from mem0_exports_engine.extract.llm.questions import Either, Group, Leaf


if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from mem0_exports_engine.extract.llm.findings import Path
    from mem0_exports_engine.extract.llm.questions import Node


@attrs.frozen(eq=False)
class Scalar:
    """A value of which the newest one counts. The members of a single object are merged one by one."""

    path: Path
    leaf: Leaf


@attrs.frozen(eq=False)
class Values:
    """A list of scalars, of which the distinct ones count."""

    path: Path
    item: Leaf


@attrs.frozen(eq=False)
class Records:
    """A list of objects."""

    path: Path
    item: Group | Either


@attrs.frozen(eq=False)
class OneOf:
    """A single object that is one of several: the newest one counts."""

    path: Path
    node: Either


Slot: TypeAlias = Scalar | Values | Records | OneOf


def slots_of(path: Path, node: Node) -> Iterator[Slot]:
    """Iterate over the slots of a property."""
    if isinstance(node, Leaf):
        yield Scalar(path, node)
    elif isinstance(node, Group):
        for name, member in node.members.items():
            yield from slots_of((*path, name), member)
    elif isinstance(node, Either):
        yield OneOf(path, node)
    elif isinstance(node.item, Leaf):
        yield Values(path, node.item)
    else:
        yield Records(path, node.item)


def given_at(answer: Any, path: Path) -> Any:
    """Return the value at a path of an answer, or None."""
    for step in path:
        answer = answer.get(step) if isinstance(answer, dict) else None
    return answer


def shown(path: Path) -> str:
    """Return a path as the report writes it, such as `events[2].place`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
