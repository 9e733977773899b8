"""Generated requests that only read: valid and invalid ones, drawn from openapi.yaml with the seed of the run.

The validators of the spec decide whether a request is valid. Each filter is joined by AND with an unknown user, so
that no answer contains memories, even if the deployment ignores the rest of the filter.
"""

from __future__ import annotations

import json
import random
import re

from typing import Any, NamedTuple
from urllib.parse import quote

import hypothesis
import jsonschema_rs

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.contract.deployment.coverage import only_reads, raw_operations
from tests.contract.deployment.reads import unknown_name
from tests.contract.deployment.session import Session
from tests.contract.deployment.values import ID_FIELDS, Schemas, Values, texts
from tests.support.spec import behind, problem


USUAL = 24
"""How many requests are generated if --max-requests does not say otherwise."""

_KEPT = ("filters", "AND", 0, "user_id")
"""Where a body names the unknown user. No broken body changes it."""

_SPARE = 20
"""How many more cases are drawn of each kind, at least: hypothesis begins with the simplest ones."""


class Case(NamedTuple):
    """A request, and the statuses that the spec allows for it."""

    name: str
    operation: str
    path: str
    query: dict[str, str]
    body: Any
    expected: set[int]

    @property
    def sent(self) -> str:
        """The query and the body, shortened."""
        query = "&".join(f"{name}={value}" for name, value in self.query.items())
        body = "" if self.body is None else json.dumps(self.body, ensure_ascii=False)
        text = ", ".join(part for part in (query, body) if part) or "without parameters"
        return f"{text[:300]}…" if len(text) > 300 else text


def draw(session: Session, seed: int, count: int) -> list[Case]:
    """Return up to `count` different cases, spread evenly over the operations that only read."""
    sources = [
        _Source(session, name, seed)
        for name in raw_operations(session.document)
        if name in session.operations and only_reads(session, name)
    ]
    kinds = [(source, valid) for source in sources for valid in (True, False) if source.has(valid=valid)]
    share = -(-count // max(len(kinds), 1))
    found = [source.cases(share, valid=valid) for source, valid in kinds] if count else []
    chosen: list[Case] = []
    while len(chosen) < count and any(found):
        chosen += [cases.pop(0) for cases in found if cases][: count - len(chosen)]
    return chosen


def run(session: Session, cases: list[Case], *, reserved: int) -> None:
    """Send the cases, as far as the number of requests allows; `reserved` requests are left for other checks."""
    for case in cases:
        if session.left <= reserved:
            return
        answer = session.ask(
            case.name,
            case.operation,
            case.body,
            expected=case.expected,
            query=case.query,
            sent=case.sent,
            path=case.path,
        )
        if case.operation == "memories_list" and answer.status == 200 and answer.valid and answer.body["count"]:
            session.note(
                case.name,
                "results",
                case.operation,
                sent=case.sent,
                promised="count 0, because one of the filters joined by AND selects an unknown user",
                received=f"/count is {answer.body['count']}",
            )


class _Source:
    """Draws the cases of one operation."""

    def __init__(self, session: Session, name: str, seed: int) -> None:
        self._operation = session.operations[name]
        self._seed = f"generated {name} {seed}"
        raw = raw_operations(session.document)[name]
        parameters = [behind(session.document, each) for each in raw.get("parameters", ())]
        self._parameters = {
            where: {each["name"]: each for each in parameters if each["in"] == where} for where in ("query", "path")
        }
        self._user = unknown_name(random.Random(self._seed))
        self._schemas = Schemas(session.document, self._special())
        content = raw.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        self._bodies = None if schema is None else self._schemas.values(schema)

    def has(self, *, valid: bool) -> bool:
        """Return whether the operation has different valid requests, or invalid ones that the spec refuses with 400."""
        can_break = bool(self._parameters["query"]) or self._bodies is not None
        if valid:
            return can_break or bool(self._parameters["path"])
        return can_break and 400 in self._operation.responses

    def cases(self, count: int, *, valid: bool) -> list[Case]:
        """Return up to `count` cases that are all valid or all invalid."""
        drawn: dict[str, Case] = {}
        kind = "valid" if valid else "invalid"

        @hypothesis.seed(f"{self._seed} {kind}")
        @settings(
            max_examples=count * 2 + _SPARE,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large),
        )
        @given(self._requests(valid=valid))
        def collect(request: tuple[dict[str, str], dict[str, str], Any]) -> None:
            case = self._case(*request)
            if case is not None and (400 not in case.expected) is valid:
                drawn.setdefault(repr(case), case)

        collect()
        source = random.Random(f"{self._seed} {kind}")
        chosen = source.sample([*drawn.values()], min(count, len(drawn)))
        label = self._operation.id.replace("_", "-")
        return [case._replace(name=f"generated.{label}-{kind}-{number}") for number, case in enumerate(chosen, start=1)]

    def _special(self) -> dict[str, Values | None]:
        """Values that depend on their meaning: names of nothing that exists, and the documented forms of metadata."""
        names = texts().map(lambda text: f"{self._user}{text}")
        operators = st.one_of(
            st.fixed_dictionaries({"eq": names}),
            st.fixed_dictionaries({"ne": names}),
            st.fixed_dictionaries({"in": st.lists(names, min_size=1, max_size=2)}),
        )
        ids = st.lists(st.uuids(version=4).map(str), min_size=1, max_size=2)
        scalars = st.one_of(texts(), st.sampled_from([0, 1, -1, 0.5, True, False]))
        conditions = st.one_of(
            scalars,
            st.fixed_dictionaries({"eq": scalars}),
            st.fixed_dictionaries({"ne": scalars}),
            st.fixed_dictionaries({"contains": texts()}),
        )
        return {
            **dict.fromkeys(ID_FIELDS, st.one_of(names, operators)),
            "memory_ids": st.one_of(ids, st.fixed_dictionaries({"in": ids})),
            "memory_export_id": st.uuids(version=4).map(str),
            "metadata": st.dictionaries(texts(min_size=1), conditions, min_size=1, max_size=2),
            # Another organization or project is refused, which the other checks cover.
            "org_id": None,
            "project_id": None,
        }

    def _requests(self, *, valid: bool) -> Values:
        """Return a strategy for path parameters, query parameters and bodies, one of them broken unless `valid`."""
        paths = st.fixed_dictionaries(
            {name: self._path_values(each) for name, each in self._parameters["path"].items()}
        )
        queries: Values = st.fixed_dictionaries(
            {},
            optional={name: self._schemas.parameter(each) for name, each in self._parameters["query"].items()},
        ).map(lambda query: {name: str(value) for name, value in query.items()})
        bodies: Values = st.none() if self._bodies is None else self._bodies.map(self._joined)
        if valid:
            return st.tuples(paths, queries, bodies)
        broken: list[Values] = []
        if self._parameters["query"]:
            wrong = st.sampled_from(["x", "0", "-1", "1.5", "99999999999999999999", "1e3", "٣", "null", ""])
            some = st.dictionaries(st.sampled_from(sorted(self._parameters["query"])), wrong, min_size=1)
            broken.append(st.tuples(paths, st.tuples(queries, some).map(lambda pair: pair[0] | pair[1]), bodies))
        if self._bodies is not None:
            broken.append(st.tuples(paths, queries, bodies.flatmap(_broken)))
        return st.one_of(broken)

    def _path_values(self, parameter: dict[str, Any]) -> Values:
        if parameter["schema"].get("format") == "uuid":
            return st.uuids(version=4).map(str)
        return texts(min_size=1).map(lambda text: f"{self._user}{text}")

    def _joined(self, body: Any) -> Any:
        """Return a body whose filters also demand an unknown user."""
        if not isinstance(body, dict) or "filters" not in body:
            return body
        return {**body, "filters": {"AND": [{"user_id": self._user}, body["filters"]]}}

    def _case(self, path: dict[str, str], query: dict[str, str], body: Any) -> Case | None:
        """Return a case with the expected statuses, or None if it is not clear whether the request is valid."""
        operation = self._operation
        valid = operation.request is None or problem(operation.request, body) is None
        for name, text in query.items():
            schema = self._parameters["query"][name]["schema"]
            if schema["type"] == "integer":
                if not re.fullmatch(r"0|-?[1-9][0-9]{0,9}", text) and _might_be_integer(text):
                    return None
                value: Any = int(text) if re.fullmatch(r"0|-?[1-9][0-9]{0,9}", text) else text
            else:
                value = text
            valid = valid and jsonschema_rs.validator_for(schema).is_valid(value)
        url = operation.path
        for name, text in path.items():
            url = url.replace(f"{{{name}}}", quote(text, safe=""))
        expected = {400} if not valid else self._allowed(query, has_path=bool(path))
        return Case("", operation.id, url, query, body, expected)

    def _allowed(self, query: dict[str, str], *, has_path: bool) -> set[int]:
        """Return the statuses that a valid request may get, given that it names nothing that exists."""
        if has_path or self._operation.id == "exports_get":
            return {404}
        later = int(query.get("page", 1)) > 1
        if self._operation.id == "memories_list":
            return {404} if later else {200}
        return set(self._operation.responses) - {400, 401, 403} - (set() if later else {404})


def _might_be_integer(text: str) -> bool:
    """Return whether some servers read this text as an integer, and others refuse it."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _broken(body: Any) -> Values:
    """Return a strategy for copies of a body with one value replaced, added or removed somewhere."""
    replaced: dict[str, Any] = {"number": 5, "null": None, "list": [], "object": {}, "text": ""}
    changes = [
        (place, kind)
        for place in _places(body)
        for kind in ("add", *(() if place == _KEPT[: len(place)] else ("remove", *replaced)))
    ]

    def changed(place: tuple[Any, ...], kind: str) -> Any:
        copy = json.loads(json.dumps(body))
        node = copy
        for key in place[:-1]:
            node = node[key]
        if kind == "remove":
            del node[place[-1]]
        elif kind != "add":
            node[place[-1]] = replaced[kind]
        elif isinstance(node, dict):
            node["no_such_field"] = "x"
        else:
            node.append("x")
        return copy

    return st.sampled_from(changes).map(lambda change: changed(*change)) if changes else st.just(body)


def _places(node: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values inside a JSON value."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [each for key, child in children for each in ((*place, key), *_places(child, (*place, key)))]
