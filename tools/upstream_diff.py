"""Compare another OpenAPI document with openapi.yaml, for the operations that openapi.yaml has.

    python tools/upstream_diff.py FILE           a table of the differences
    python tools/upstream_diff.py FILE --json    the same as JSON

Operations are matched by method and path; their operationIds may differ. The exit status is 1 if the other document
refuses what openapi.yaml promises: it refuses a request that openapi.yaml allows, or it allows a response that
openapi.yaml refuses. It is 0 if the other document only allows more requests or fewer responses, and 2 if FILE cannot
be read or is not an OpenAPI document. An error status that openapi.yaml does not have counts as a difference, but not
as a refusal: clients handle every error status.
"""

from __future__ import annotations

import argparse
import json
import re
import sys

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openapi_file import UnreadableError, read
from schema_diff import NOTHING, Comparison, Difference
from schema_view import Reader, as_list, as_object


if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC: Final = Path(__file__).resolve().parent.parent / "openapi.yaml"
METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
JSON: Final = "application/json"
WIDEST: Final = 40
"""The most characters of a cell of the table. Longer texts are cut; --json prints them completely."""


class Row(NamedTuple):
    """One line of the table."""

    operation: str
    where: str
    aspect: str
    theirs: str
    ours: str
    meaning: str
    refuses: bool
    """Whether the other document refuses what ours promises."""


class Operation(NamedTuple):
    """An operation and the path item that it is in."""

    method: str
    path: str
    item: dict[str, Any]
    body: dict[str, Any]


class Document:
    """An OpenAPI document and what is needed to compare it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.reader = Reader(document)
        self.operations: dict[tuple[str, str], Operation] = {}
        for path, raw in as_object(document.get("paths")).items():
            item = as_object(self.reader.resolve(raw))
            for method in METHODS:
                if isinstance(item.get(method), dict):
                    found = Operation(method, path, item, item[method])
                    self.operations[method, template(path)] = found

    def parameters(self, operation: Operation) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the parameters by location and name. The name of a path parameter is its position in the path."""
        places = re.findall(r"\{([^{}]*)\}", operation.path)
        found = {}
        for raw in (*as_list(operation.item.get("parameters")), *as_list(operation.body.get("parameters"))):
            parameter = as_object(self.reader.resolve(raw))
            place, name = parameter.get("in"), parameter.get("name")
            if not isinstance(place, str) or not isinstance(name, str):
                continue
            if place == "path" and name in places:
                name = str(places.index(name) + 1)
            found[place, name.lower() if place == "header" else name] = parameter
        return found

    def responses(self, operation: Operation) -> dict[str, dict[str, Any]]:
        """Return the responses by status, which can be "4XX" or "default" too."""
        raw = as_object(operation.body.get("responses"))
        return {str(status).upper(): as_object(self.reader.resolve(each)) for status, each in raw.items()}

    def content(self, holder: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Return the media types of a body by name, without their parameters."""
        raw = as_object(holder.get("content"))
        return {str(name).partition(";")[0].strip().lower(): as_object(each) for name, each in raw.items()}


def template(path: str) -> str:
    """Return the path with its parameters unnamed and without a slash at the end."""
    return re.sub(r"\{[^{}]*\}", "{}", path).rstrip("/") or "/"


def compare(theirs: dict[str, Any], ours: dict[str, Any]) -> list[Row]:
    """Return the differences between two documents, in a fixed order."""
    left, right = Document(theirs), Document(ours)
    rows: list[Row] = []
    for key, operation in right.operations.items():
        label = f"{operation.method.upper()} {operation.path}"
        other = left.operations.get(key)
        if other is None:
            meaning = "The operation does not exist; its calls fail."
            rows.append(Row(label, "operation", "missing", "not described", "described", meaning, refuses=True))
            continue
        rows += [row._replace(operation=label) for row in _operation(left, other, right, operation)]
    return sorted(set(rows))


def _operation(left: Document, theirs: Operation, right: Document, ours: Operation) -> Iterator[Row]:
    comparison = Comparison(left.reader, right.reader)
    if theirs.path.endswith("/") != ours.path.endswith("/"):
        meaning = "The paths differ in the slash at the end; a server may answer 404 or redirect."
        yield Row("", "operation", "path", theirs.path, ours.path, meaning, refuses=True)
    names = [str(each.body.get("operationId", NOTHING)) for each in (theirs, ours)]
    if names[0] != names[1]:
        meaning = "Generated functions have another name; the wire is the same."
        yield Row("", "operation", "operationId", names[0], names[1], meaning, refuses=False)
    yield from _parameters(comparison, left.parameters(theirs), right.parameters(ours))
    yield from _request(comparison, left, theirs, right, ours)
    yield from _responses(comparison, left, left.responses(theirs), right, right.responses(ours))


def _parameters(
    comparison: Comparison, theirs: dict[tuple[str, str], dict[str, Any]], ours: dict[tuple[str, str], dict[str, Any]]
) -> Iterator[Row]:
    for place, name in sorted(theirs.keys() | ours.keys()):
        where = f"{place} parameter {name}"
        one, other = theirs.get((place, name)), ours.get((place, name))
        if one is None:
            meaning = "They do not describe it; a server may ignore it."
            yield Row("", where, "missing", "not described", _needed(other), meaning, refuses=False)
        elif other is None:
            refuses = one.get("required") is True
            meaning = "Requests without it are refused." if refuses else "This client cannot send it."
            yield Row("", where, "extra", _needed(one), "not described", meaning, refuses)
        else:
            if _needed(one) != _needed(other):
                refuses = one.get("required") is True
                meaning = "Requests without it are refused." if refuses else "They accept requests without it, too."
                yield Row("", where, "required", _needed(one), _needed(other), meaning, refuses)
            for each in comparison.differences(_schema(one), _schema(other)):
                yield _in_request(where, each)


def _needed(holder: dict[str, Any] | None) -> str:
    return "required" if as_object(holder).get("required") is True else "optional"


def _schema(holder: dict[str, Any]) -> tuple[Any, ...]:
    """Return the schema of a parameter or a media type, or () if there is none."""
    if "schema" in holder:
        return (holder["schema"],)
    return next((_schema(as_object(each)) for each in as_object(holder.get("content")).values()), ())


def _request(
    comparison: Comparison, left: Document, theirs: Operation, right: Document, ours: Operation
) -> Iterator[Row]:
    one = left.reader.resolve(theirs.body.get("requestBody"))
    other = right.reader.resolve(ours.body.get("requestBody"))
    where = "request body"
    if not isinstance(one, dict) or not isinstance(other, dict):
        if isinstance(other, dict):
            meaning = "They describe no body; a server may ignore or refuse it."
            yield Row("", where, "missing", "not described", _needed(other), meaning, refuses=True)
        elif isinstance(one, dict):
            refuses = one.get("required") is True
            meaning = "Requests without a body are refused." if refuses else "This client cannot send it."
            yield Row("", where, "extra", _needed(one), "not described", meaning, refuses)
        return
    if _needed(one) != _needed(other):
        refuses = one.get("required") is True
        meaning = "Requests without a body are refused." if refuses else "They accept requests without a body, too."
        yield Row("", where, "required", _needed(one), _needed(other), meaning, refuses)
    yield from _bodies(where, comparison, left.content(one), right.content(other), in_request=True)


def _responses(
    comparison: Comparison,
    left: Document,
    theirs: dict[str, dict[str, Any]],
    right: Document,
    ours: dict[str, dict[str, Any]],
) -> Iterator[Row]:
    for status in sorted(theirs.keys() | ours.keys()):
        where = f"response {status}"
        # A status that is not listed can be covered by a range, such as 4XX, or by the default.
        one = next((theirs[each] for each in (status, f"{status[:1]}XX", "DEFAULT") if each in theirs), None)
        other = next((ours[each] for each in (status, f"{status[:1]}XX", "DEFAULT") if each in ours), None)
        if one is None:
            meaning = "They do not describe it; if it never occurs, nothing changes."
            yield Row("", where, "missing", "not described", "described", meaning, refuses=False)
        elif other is not None:
            yield from _bodies(where, comparison, left.content(one), right.content(other), in_request=False)
        elif status.startswith("2"):
            meaning = "A success that openapi.yaml does not describe."
            yield Row("", where, "extra", "described", "not described", meaning, refuses=True)
        else:
            meaning = "Clients raise their general error for it."
            yield Row("", where, "extra", "described", "not described", meaning, refuses=False)


def _bodies(
    where: str,
    comparison: Comparison,
    theirs: dict[str, dict[str, Any]],
    ours: dict[str, dict[str, Any]],
    *,
    in_request: bool,
) -> Iterator[Row]:
    if not theirs and not ours:
        return
    if not theirs or not ours:
        sides = ("not described", "described") if ours else ("described", "not described")
        yield Row("", where, "content", *sides, "The content cannot be compared.", refuses=False)
        return
    wanted = JSON if JSON in ours else min(ours)
    one = next((theirs[each] for each in (wanted, f"{wanted.partition('/')[0]}/*", "*/*") if each in theirs), None)
    if one is None:
        meaning = f"They do not accept {wanted}." if in_request else f"They do not answer in {wanted}."
        yield Row("", where, "content type", ", ".join(sorted(theirs)), ", ".join(sorted(ours)), meaning, refuses=True)
        return
    for each in comparison.differences(_schema(one), _schema(ours[wanted])):
        yield (_in_request if in_request else _in_response)(where, each)


def _in_request(where: str, each: Difference) -> Row:
    if each.narrower:
        meaning = {
            "missing": "Requests with it are refused.",
            "required": "Requests without it are refused.",
            "extra": "Requests without it are refused.",
            "null": "Requests with null are refused.",
        }.get(each.aspect, "Some requests that openapi.yaml allows are refused.")
    elif each.aspect == "missing":
        meaning = "They do not describe it; a server may ignore it."
    elif each.aspect == "extra":
        meaning = "This client cannot send it." if each.wider else "openapi.yaml does not describe it."
    elif each.aspect == "required":
        meaning = "They accept requests without it, too."
    else:
        meaning = "They accept more than openapi.yaml allows." if each.wider else _NEUTRAL.get(each.aspect, _UNKNOWN)
    return _row(where, each, meaning, refuses=each.narrower)


def _in_response(where: str, each: Difference) -> Row:
    if each.wider:
        meaning = {
            "missing": "It may be absent, and clients require it.",
            "required": "It may be absent, and clients require it.",
            "extra": "Responses with it are refused.",
            "null": "Clients refuse null.",
        }.get(each.aspect, "Some responses are not valid by openapi.yaml.")
    elif each.aspect == "missing":
        meaning = "Clients may never receive it."
    elif each.aspect == "extra":
        meaning = "Clients ignore it."
    else:
        meaning = "They promise more than is needed." if each.narrower else _NEUTRAL.get(each.aspect, _UNKNOWN)
    return _row(where, each, meaning, refuses=each.wider)


_UNKNOWN: Final = "The two were not compared further."
_UNCOMPARED: Final = {
    "$ref": "The reference leads nowhere, so nothing could be compared.",
    "depth": "This is too deep or has too many alternatives to be compared.",
}
_NEUTRAL: Final = {
    "alternatives": "Some alternatives differ, but not in what they refuse.",
    "default": "Leaving it out may mean something else.",
    "format": "Compare the two by hand.",
    "properties": "They allow any properties here.",
}


def _row(where: str, each: Difference, meaning: str, *, refuses: bool) -> Row:
    place = f"{where}: {each.path}" if each.path else where
    return Row("", place, each.aspect, each.theirs, each.ours, _UNCOMPARED.get(each.aspect, meaning), refuses)


def _printable(cell: object) -> str:
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in str(cell))


def table(rows: list[Row]) -> str:
    """Return the rows as text, in columns. Refusals are marked with an exclamation mark."""
    heads = ("", "operation", "where", "what", "theirs", "ours", "what it means")
    cells = [("!" if row.refuses else "", *map(_printable, row[:-1])) for row in rows]
    cut = [
        [cell if len(cell) <= WIDEST else f"{cell[: WIDEST - 3]}..." for cell in line[:-1]] + [line[-1]]
        for line in cells
    ]
    lines = [list(heads), *cut]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([shown[0], "-" * max(map(len, shown)), *shown[1:]])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Compare another OpenAPI document with openapi.yaml.")
    parser.add_argument("spec", metavar="FILE", nargs="?", help="an OpenAPI 3.0 or 3.1 document, JSON or YAML")
    parser.add_argument("--json", action="store_true", help="print the differences as a JSON array")
    given = parser.parse_args(arguments)
    if not given.spec:
        print("name the document to compare: make upstream-diff SPEC=FILE", file=sys.stderr)
        return 2
    try:
        theirs, ours = read(Path(given.spec)), read(SPEC)
        rows = compare(theirs, ours)
    except UnreadableError as error:
        print(error, file=sys.stderr)
        return 2
    except RecursionError:
        print(f"{given.spec} is nested too deeply", file=sys.stderr)
        return 2
    refusals = sum(row.refuses for row in rows)
    if given.json:
        print(json.dumps([row._asdict() for row in rows], indent=1))
        return 1 if refusals else 0
    name = Path(given.spec).name
    if rows:
        print(table(rows))
        print()
    others = len(Document(theirs).operations.keys() - Document(ours).operations.keys())
    print(f"{len(rows)} differences; in {refusals} of them (!) {name} refuses what openapi.yaml promises.")
    print(f"{name} has {others} more operations, which openapi.yaml does not describe.")
    return 1 if refusals else 0


if __name__ == "__main__":
    sys.exit(main())
