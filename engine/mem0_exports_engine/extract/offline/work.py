"""Bound the work on each memory, so that no memory takes long, whatever the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mem0_exports_engine.extract.offline.mismatch import Mismatch
from mem0_exports_engine.limits import MAX_STEPS


if TYPE_CHECKING:
    from mem0_exports_engine.schema_cost import Cost

# What things cost, in the time that the validator takes to check one value against one sub-schema, some 10 ns.
_VALUE: Final = 25
"""Measuring, copying and writing a value."""
_CHARACTER: Final = 3
"""Copying and writing a character. It also bounds how often one large text can be written."""
ITEM: Final = 400
"""Taking an item out of a list in order to convert it or to compare it with others."""
CONVERSION: Final = 3_000
"""Trying to convert one value."""
PARSING: Final = 10
"""Parsing a character of JSON text."""
_EXPLANATION: Final = 5_000
"""Checking one value against one sub-schema of a union if the validator is to say why it does not match: it then keeps
a trace of each check."""

_LARGE: Final = 1_000
"""Values with more values inside them are measured once for all fields of a batch that they may fill."""


class TooMuch(Exception):
    """There is too much work on a memory to go on with a value. `Shape.fit` raises a Mismatch instead."""

    reason: Final = "it and the other values of its memory are too large to be checked against this schema"


class Sizes(NamedTuple):
    """The size of a JSON value."""

    depth: int
    """How deep it is nested: 0 for a scalar or an empty container."""
    values: int
    """The number of values, with itself and all that are inside it."""
    characters: int
    """The characters of all strings and names."""


class Work:
    """Counts the work on each memory."""

    def __init__(self, cost: Cost) -> None:
        self._cost = cost
        self._memory = ""
        self._left: dict[str, int] = {}
        """The steps that are left for each memory of the batch."""
        self._measured: dict[int, tuple[Any, Sizes]] = {}
        """The large values of the batch and their sizes, by their id(), which stays theirs while they are here."""

    @property
    def has_patterns(self) -> bool:
        """Whether strings may have to be matched against patterns."""
        return self._cost.matches > 0

    def begin(self, memory_id: str) -> None:
        """Count what follows as work on this memory; on the whole object if it is an empty string."""
        self._memory = memory_id

    @property
    def left(self) -> int:
        """The steps that are left for the memory."""
        return self._left.get(self._memory, MAX_STEPS)

    @left.setter
    def left(self, steps: int) -> None:
        self._left[self._memory] = steps

    def end_batch(self) -> None:
        """Forget the memories. Each is in one batch only."""
        self._left.clear()
        self._measured.clear()
        self._memory = ""

    def affords(self, steps: int) -> bool:
        """Count these steps and return True, or count nothing if they are more than what is left for the memory."""
        left = self.left
        if steps > left:
            return False
        self._left[self._memory] = left - steps
        return True

    def spend(self, steps: int) -> None:
        """Count these steps. Raises TooMuch if they are more than what is left for the memory."""
        if not self.affords(steps):
            raise TooMuch

    def spend_on(self, value: Any) -> None:
        """Count the steps of checking a value. Raises Mismatch if it is nested too deep, and TooMuch."""
        if isinstance(value, dict | list):
            depth, values, characters = self.sizes(value)
            if depth > self._cost.max_depth:
                raise Mismatch(f"it is nested more than {self._cost.max_depth} levels deep")
        else:
            values, characters = 1, len(value) if isinstance(value, str) else 0
        self.spend(values * _VALUE + characters * _CHARACTER + self.steps(values, characters))

    def steps(self, values: int, characters: int) -> int:
        """Return the most steps of checking so many values with so many characters in them."""
        return self._cost.steps(values, characters)

    def steps_for(self, value: Any) -> int:
        """Return the most steps of checking a value."""
        return self.steps(*self.sizes(value)[1:])

    def affords_explanation(self, value: Any) -> bool:
        """Return whether there is time to find out why a value does not match a union."""
        return self.affords(_EXPLANATION * self.steps_for(value))

    def sizes(self, value: Any) -> Sizes:
        """Return the size of a value."""
        known = self._measured.get(id(value))
        if known is not None:
            return known[1]
        found = sizes(value)
        if found.values > _LARGE:
            self._measured[id(value)] = value, found
        return found


def sizes(value: Any) -> Sizes:
    """Return the size of a JSON value."""
    depth = values = characters = 0
    level = [value]
    while level:
        values += len(level)
        characters += sum(len(item) for item in level if isinstance(item, str))
        containers = [item for item in level if isinstance(item, dict | list) and item]
        characters += sum(len(key) for item in containers if isinstance(item, dict) for key in item)
        level = [inner for item in containers for inner in (item.values() if isinstance(item, dict) else item)]
        depth += bool(level)
    return Sizes(depth, values, characters)


def size_of(value: Any) -> int:
    """Return about how many bytes a JSON value takes in memory."""
    if isinstance(value, str):
        return 50 + len(value)
    if not isinstance(value, dict | list):
        return 30
    _, values, characters = sizes(value)
    return 80 * values + characters
