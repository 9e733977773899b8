"""Check that a value stands literally in a text. It shares no code with the extractor."""

from __future__ import annotations

import re
import unicodedata

from datetime import date
from typing import Any


def plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())


MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]


def stands_in(value: Any, text: str) -> bool:
    """Return whether a scalar stands in a text."""
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int | float):
        return any(
            float(number) == value for number in re.findall(r"-?\d+(?:\.\d+)?", plain(text).replace("\u2212", "-"))
        )
    if is_date(value) and plain(value) not in plain(text):
        day = date.fromisoformat(value)
        parts = {str(int(part)) for part in re.findall(r"\d+", plain(text))}
        month = str(day.month) in parts or MONTHS[day.month - 1][:3] in plain(text)
        return month and {str(day.day), str(day.year)} <= parts
    loose = plain(value) in plain(text) or re.sub("[-_]", " ", plain(value)) in re.sub("[-_]", " ", plain(text))
    return len(plain(value)) > 1 and loose


def is_date(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None


def scalars(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Return the scalars of a JSON value with their paths, without nulls."""
    if isinstance(value, dict):
        return [each for key, item in value.items() for each in scalars(item, f"{path}.{key}" if path else key)]
    if isinstance(value, list):
        return [each for index, item in enumerate(value) for each in scalars(item, f"{path}[{index}]")]
    return [] if value is None else [(path, value)]


def unproven(result: Any, report: Any, texts: dict[str, str]) -> list[str]:
    """Return what is wrong with the evidence of a result that was read from texts alone; nothing if all is right."""
    evidence = {each.path: each for each in report.evidence}
    wrong = []
    for path, value in scalars(result):
        each = evidence.get(path)
        if each is None or each.how != "text" or each.start is None:
            wrong.append(f"{path}: no evidence from a text for {value!r}")
            continue
        piece = texts[each.memory_id][each.start : each.end]
        if not (stands_in(value, piece) and stands_in(value, texts[each.memory_id])):
            wrong.append(f"{path}: {value!r} is not {piece!r}")
    return wrong
