"""Find where a value stands in a text. A value that does not stand there literally is not found.

- A string: the same words, as whole words; see `folding`. A single character never counts.
- A member of an enum: the same, where hyphens and underscores are spaces.
- A number: a whole number in the text that is equal. "1,250" and "4k" are not read, as they are not the same everywhere.
- A date: year, month and day, as 2024-05-07, "7 May 2024", "May 7th, 2024", "7. Mai 2024", "2024年5月7日" and the like. A
  date with slashes counts only if one of its numbers cannot be a month. A day without its year does not count.

Booleans, and whatever has to be concluded, cannot be found in a text. They need a judge.
"""

from __future__ import annotations

import re

from bisect import bisect_right
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mem0_exports_engine.extract.llm.folding import Folded, fold, fold_value, is_bounded, quickly_folded


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

MAX_VALUE: Final = 10_000
"""The most characters of a value that is looked for."""


class Span(NamedTuple):
    """A part of a text, in code points: `text[start:end]`."""

    start: int
    end: int


class Text:
    """A text in which values are looked for. It is folded once, if at all."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _folded(self) -> Folded:
        return fold(self.text)

    def find(self, value: Any, node: dict[str, Any]) -> Span | None:
        """Return where a value of a scalar schema stands, or None. `node` is the resolved schema."""
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, int | float):
            return self._number(value)
        if not isinstance(value, str) or len(value) > MAX_VALUE:
            return None
        if node.get("format") == "date":
            return self._date(value)
        span = self._words(value)
        if span is None and ("enum" in node or "const" in node):
            span = self._words(value, spaced=True)
        return span

    def _words(self, value: str, *, spaced: bool = False) -> Span | None:
        wanted = fold_value(value)
        if len(wanted) < 2:
            return None
        text = self._folded.text
        if spaced:
            wanted, text = _spaced(wanted), _spaced(text)
        start = text.find(wanted)
        while start >= 0:
            if is_bounded(text, start, start + len(wanted)) and self._folded.is_whole(start, start + len(wanted)):
                return Span(*self._folded.span(start, start + len(wanted)))
            start = text.find(wanted, start + 1)
        return None

    def _number(self, value: float) -> Span | None:
        wanted = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        for match in _NUMBER.finditer(self._folded.text):
            start, end = match.span()
            is_equal = Decimal(match[0].replace("\u2212", "-")) == wanted
            if is_equal and self._is_number(start, end) and self._has_real_digits(start, end):
                return Span(*self._folded.span(start, end))
        return None

    def _has_real_digits(self, start: int, end: int) -> bool:
        """Return whether the digits of a number or date are digits in the original, unlike those of 5² and ½."""
        begin, after = self._folded.span(start, end)
        are_digits = all(char.isdecimal() or not char.isnumeric() for char in self.text[begin:after])
        return are_digits and self._folded.is_whole(start, end)

    def _is_number(self, start: int, end: int) -> bool:
        """Return whether a run of digits is a whole number of its own, and not a part of a date, a time or a name."""
        text = self._folded.text
        digits = text[start:end]
        if not is_bounded(text, start, end):
            return False
        if len(digits) == 4 and digits.isdecimal():  # a year can be a part of a date
            return True
        before, after = text[max(0, start - 2) : start], text[end : end + 2]
        joined_before = len(before) == 2 and before[1] in _JOINS and before[0].isdigit()
        joined_after = len(after) == 2 and after[0] in _JOINS and after[1].isdigit()
        return not (joined_before or joined_after)

    def _date(self, value: str) -> Span | None:
        try:
            wanted = date.fromisoformat(value)
        except ValueError:
            return None
        for day, start, end in _dates(self._folded.text):
            if day == wanted and is_bounded(self._folded.text, start, end) and self._has_real_digits(start, end):
                return Span(*self._folded.span(start, end))
        return None


def _spaced(text: str) -> str:
    """Return a text of the same length in which hyphens and underscores are spaces."""
    return text.replace("-", " ").replace("_", " ")


class Index:
    """Says in which of several texts a value can stand, far faster than by looking for it in each of them."""

    def __init__(self, texts: Sequence[str]) -> None:
        folded = [quickly_folded(text) for text in texts]
        self._all = "\n".join(folded)  # there is no line break in a folded text
        self._starts = [0, *accumulate(len(text) + 1 for text in folded)][:-1]
        self._every = range(len(texts))

    @cached_property
    def _spaced(self) -> str:
        return _spaced(self._all)

    def places_of(self, value: Any, node: dict[str, Any]) -> Collection[int]:
        """Return the texts in which `Text.find` could find a value; some of them do not have it."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return ()
        if isinstance(value, str) and len(value) > MAX_VALUE:
            return ()
        if isinstance(value, str) and node.get("format") != "date":
            return self._with(fold_value(value), spaced="enum" in node or "const" in node)
        if not self._all.isascii():  # other scripts have digits of their own
            return self._every
        return self._with(str(value)[:4] if isinstance(value, str) else str(abs(int(value))))

    def _with(self, wanted: str, *, spaced: bool = False) -> set[int]:
        text = self._spaced if spaced else self._all
        wanted = _spaced(wanted) if spaced else wanted
        found: set[int] = set()
        start = text.find(wanted) if wanted else -1
        while start >= 0:
            place = bisect_right(self._starts, start) - 1
            found.add(place)
            end = self._starts[place + 1] if place + 1 < len(self._starts) else len(text)
            start = text.find(wanted, end)
        return found


_NUMBER: Final = re.compile(r"(?:(?<![\w.,])[-\u2212])?\d+(?:\.\d+)?")
_JOINS: Final = frozenset(":/-.,\u2044")  # the last one is the slash of ½

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar enero ene janvier janv gennaio gen janeiro januari",
            "february feb februar febrero fevrier février févr febbraio fevereiro fev februari",
            "march mar märz marz marzo mars março marco maart",
            "april apr abril abr avril avr aprile",
            "may mai mayo maggio mag maio mei",
            "june jun juni junio juin giugno giu junho",
            "july jul juli julio juillet juil luglio lug julho",
            "august aug agosto ago août aout augustus",
            "september sep sept septiembre septembre settembre set setembro",
            "october oct oktober okt octubre octobre ottobre ott outubro out",
            "november nov noviembre novembre novembro",
            "december dec dezember dez diciembre dic décembre decembre déc dicembre dezembro",
        ),
        1,
    )
    for name in names.split()
}
_MONTH: Final = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATES: Final = (
    re.compile(r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})"),
    re.compile(r"(?P<y>\d{4}) ?年 ?(?P<m>\d{1,2}) ?月 ?(?P<d>\d{1,2}) ?日"),
    re.compile(r"(?P<y>\d{4}) ?년 ?(?P<m>\d{1,2}) ?월 ?(?P<d>\d{1,2}) ?일"),
    re.compile(
        rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th|er|º|\.)?(?: of| de)? (?P<name>{_MONTH})\.?,?(?: of| de)? (?P<y>\d{{4}})"
    ),
    re.compile(rf"(?P<name>{_MONTH})\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}})"),
    re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})"),
)
_SLASHES: Final = re.compile(r"(?P<one>\d{1,2})/(?P<two>\d{1,2})/(?P<y>\d{4})")


def _dates(text: str) -> Iterator[tuple[date, int, int]]:
    """Iterate over the dates in a folded text, with their places."""
    for pattern in _DATES:
        for match in pattern.finditer(text):
            named = match.groupdict()
            month = _MONTHS[named["name"]] if named.get("name") else int(named["m"])
            yield from _day(match, int(named["y"]), month, int(named["d"]))
    for match in _SLASHES.finditer(text):
        one, two = int(match["one"]), int(match["two"])
        if one > 12 or one == two:
            yield from _day(match, int(match["y"]), two, one)
        elif two > 12:
            yield from _day(match, int(match["y"]), one, two)


def _day(match: re.Match[str], year: int, month: int, day: int) -> Iterator[tuple[date, int, int]]:
    try:
        yield date(year, month, day), match.start(), match.end()
    except ValueError:
        return
