"""Ask the model whether a memory really says what was read out of it. The judge can only remove values.

A small model can agree with everything, or with nothing. So with `check="auto"` it has to tell known examples apart
first; if it cannot, it is not asked, and the report says so.
"""

from __future__ import annotations

import threading

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mem0_exports_engine.extract.llm.problems import CallFailed
from mem0_exports_engine.extract.llm.prompts import JUDGE_SCHEMA, judging
from mem0_exports_engine.extract.llm.request import Request


if TYPE_CHECKING:
    from mem0_exports.llm import LLM
    from mem0_exports_engine.extract.llm.calls import Calls

_TOKENS: Final = 64
"""The most tokens of a verdict. It takes one, and some models think a little."""

NEEDED: Final = 10
"""How many of the examples a judge has to get right."""


class Example(NamedTuple):
    """A memory, a statement, and whether the memory says so."""

    text: str
    path: str
    description: str
    value: Any
    is_true: bool


EXAMPLES: Final = (
    Example("Ilka works as a welder at Torvald Shipyard.", "employer", "the company where the person works", "Torvald Shipyard", True),
    Example("Ilka's brother works at Torvald Shipyard.", "employer", "the company where the person works", "Torvald Shipyard", False),
    Example("Bram moved to Szeged last spring.", "city", "the city where the person lives", "Szeged", True),
    Example("Bram would like to live in Szeged one day.", "city", "the city where the person lives", "Szeged", False),
    Example("Oda has a ferret named Pixel.", "pet_name", "the name of the person's pet", "Pixel", True),
    Example("Oda's neighbour has a ferret named Pixel.", "pet_name", "the name of the person's pet", "Pixel", False),
    Example("Juno was born in 1987.", "birth_year", "the year in which the person was born", 1987, True),
    Example("Juno's father was born in 1957.", "birth_year", "the year in which the person was born", 1957, False),
    Example("Teo took up fencing in March.", "hobbies", "a hobby of the person", "fencing", True),
    Example("Teo has given up fencing.", "hobbies", "a hobby of the person", "fencing", False),
    Example("Runa is a vegetarian.", "diet", "what the person eats", "vegetarian", True),
    Example("Runa turned down an offer from Kestrel Labs.", "employer", "the company where the person works", "Kestrel Labs", False),
)  # fmt: skip


class Judge:
    """Decides about values. Safe to share between threads."""

    def __init__(self, llm: LLM, calls: Calls) -> None:
        self.note: str | None = None
        """A remark for the report, if the judge was not asked."""
        self.unchecked = 0
        """How many values could not be checked, because a call failed."""
        self._llm = llm
        self._calls = calls
        self._lock = threading.Lock()
        self._is_able: bool | None = {"on": True, "off": False}.get(llm.check)

    @property
    def is_able(self) -> bool:
        """Whether the judge can be asked. The first use of "auto" asks about the examples."""
        with self._lock:
            if self._is_able is None:
                self._is_able = self._calibrated()
            return self._is_able

    def says(self, text: str, path: str, description: str | None, value: Any) -> bool | None:
        """Return whether a memory says that a value holds; None if the judge did not answer."""
        try:
            return self._verdict(text, path, description, value)
        except CallFailed:
            with self._lock:
                self.unchecked += 1
            return None

    def _verdict(self, text: str, path: str, description: str | None, value: Any) -> bool:
        request = Request(judging(text, path, description, value), JUDGE_SCHEMA, _TOKENS)
        answer = self._calls.ask(
            request, lambda given: isinstance(given, dict) and given.get("answer") in {"yes", "no"}
        )
        return bool(answer["answer"] == "yes")

    def _calibrated(self) -> bool:
        right = 0
        try:
            for each in EXAMPLES:
                right += self._verdict(each.text, each.path, each.description, each.value) == each.is_true
        except CallFailed as failed:
            self.note = f"values were not checked by the model: {failed}"
            return False
        if right < NEEDED:
            self.note = f"values were not checked by the model, because it told only {right} of {len(EXAMPLES)} known examples apart"
        return right >= NEEDED
