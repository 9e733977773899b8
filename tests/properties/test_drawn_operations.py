"""Whatever tools/lint_spec.py accepts, the engine serves and the generated client calls; whatever it cannot, lint refuses.

The operations are drawn into copies of openapi.yaml: tests/support/drawn_specs.py.
"""

from __future__ import annotations

import copy
import functools
import importlib
import importlib.util
import inspect
import json
import os
import shutil
import subprocess
import sys

from pathlib import Path
from unittest import mock
from urllib.parse import urlencode

import httpx
import pytest
import yaml

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import lint_spec

from mem0_exports_engine.engine import Engine
from mem0_exports_engine.operations import HANDLERS
from mem0_exports_engine.read_spec import UnsupportedSpec, read
from mem0_exports_engine.refusals import Outcome
from tests.support import drawn_specs, spec


ROOT = Path(__file__).resolve().parents[2]
KINDS = {"string": str, "integer": int, "number": float, "boolean": bool}

pytestmark = pytest.mark.timeout(600)


def drawn(examples):
    """Return settings that draw the same cases in every run, and TIMES as many if that is set."""
    return settings(
        max_examples=examples * int(os.environ.get("TIMES") or 1),
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],  # to lint a whole document takes too long to make a failing case small
        suppress_health_check=list(HealthCheck),
    )


def some(strategy, number):
    """Return values of a strategy, always the same ones."""
    found = []

    @drawn(number)
    @given(strategy)
    def collect(value):
        found.append(value)

    collect()
    return found[-number:]


class Served:
    """An engine that serves a drawn spec. The handlers of its operations record their requests."""

    def __init__(self, engine, document, operations):
        self.requests = []
        self._engine = engine
        engine._contract = read(document)
        HANDLERS.update({each.id: self._handler(each) for each in operations})

    def _handler(self, operation):
        def handle(service, request):
            self.requests.append((operation.id, request))
            has_body = operation.statuses[operation.success]
            return Outcome(operation.success, drawn_specs.ANSWER) if has_body else Outcome(operation.success)

        return handle

    def respond(self, method, path, query="", body=None):
        content = b"" if body is None else json.dumps(body).encode()
        return self._engine.respond(method, path, query, {}, content)


@pytest.fixture(scope="module")
def engine():
    made = Engine()
    with mock.patch.dict(HANDLERS):
        yield made
    made.close()


def check_served(served, call, path, query, body):
    """Check that a valid request reaches its handler with equal values, and that the answer is the documented one."""
    operation = call.operation
    served.requests.clear()
    answer = served.respond(operation.method, path, query, body)

    assert answer.status == operation.success, answer
    has_body = operation.statuses[operation.success]
    assert json.loads(answer.body) == drawn_specs.ANSWER if has_body else answer.body is None
    ((name, request),) = served.requests
    assert (name, request.body) == (operation.id, body)
    for each in operation.parameters:
        assert request.parameters.find(each.name, KINDS[each.schema["type"]]) == call.expected.get(each.name), each


@drawn(25)
@given(data=st.data())
def test_requests_reach_their_operation_and_near_misses_are_refused(engine, data):
    document, operations = data.draw(drawn_specs.specs())
    known = spec.operations(document)
    assert [str(each) for each in lint_spec.lint(document)] == []
    served = Served(engine, document, operations)

    for operation in operations:
        call = data.draw(drawn_specs.calls(operation))
        check_served(served, call, call.path, urlencode(call.pairs), call.body)
        served.requests.clear()
        for miss in drawn_specs.near_misses(call):
            answer = served.respond(operation.method, miss.path, miss.query, call.body)
            assert answer.status in operation.statuses, (miss, answer)
            assert answer.status in {400, 404}, (miss, answer)
            refusal = json.loads(answer.body)
            assert spec.body_problem(known[operation.id].responses[answer.status], refusal) is None
            assert miss.named in answer.body.decode(), (miss, answer)
        if operation.body == "required":
            answer = served.respond(operation.method, call.path, urlencode(call.pairs))
            assert (answer.status, b"body" in answer.body) == (400, True)
        check_other_paths_and_methods(served, document, call)
        assert served.requests == []


def check_other_paths_and_methods(served, document, call):
    """Check that another method, a segment more or less, and an empty segment do not reach the operation."""
    here = document["paths"][call.operation.path]
    for method in {"GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS"} - {each.upper() for each in here}:
        answer = served.respond(method, call.path, urlencode(call.pairs), call.body)
        assert answer.status == 405
        assert set(answer.headers["allow"].split(", ")) == {each.upper() for each in here if each != "parameters"}
    empty = drawn_specs.filled(call.operation, {each.name: "" for each in call.operation.of("path")})
    others = [f"{call.path}x/", f"{call.path}/", call.path.removesuffix("/") + "/" * (not call.path.endswith("/"))]
    for path in [*others, *([empty] if empty != call.path else [])]:
        match = served._engine._contract.match(path)
        assert match is None or match.path != call.operation.path


@drawn(40)
@given(data=st.data())
def test_the_independent_reader_of_the_spec_agrees(data):
    document, operations = data.draw(drawn_specs.specs())
    known, contract = spec.operations(document), read(document)

    assert known.keys() == contract.operations.keys()
    for name, operation in contract.operations.items():
        other = known[name]
        assert (operation.method, operation.path) == (other.method, other.path)
        assert operation.path_parameters.keys() == other.path_parameters.keys()
        assert operation.query_parameters.keys() == other.parameters.keys()
        bodies = {status: body is not None for status, body in operation.responses.items()}
        assert bodies == {status: body is not None for status, body in other.responses.items()}
    for operation in operations:
        call = data.draw(drawn_specs.calls(operation))
        url = f"https://x{call.path}?{urlencode(call.pairs)}"
        request = httpx.Request(operation.method, url, json=call.body, headers={"accept": "application/json"})
        request.headers["authorization"] = "Token key"
        assert spec.request_problems(known, request, "key") == (operation.id, [])


def generated(document, folder):
    """Generate the client of a document in a copy of the tools, and import it under a name of its own."""
    shutil.copy(ROOT / "codegen.yml", folder / "codegen.yml")
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "openapi.yaml").write_text(
        yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, folder / "tools" / "generate.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path})
    assert done.returncode == 0, done.stdout + done.stderr
    name = f"generated_in_{folder.name}"
    package = folder / "generated" / "mem0_exports_api"
    made = importlib.util.spec_from_file_location(
        name, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    sys.modules[name] = importlib.util.module_from_spec(made)
    made.loader.exec_module(sys.modules[name])
    return name


def built(package, call):
    """Return the request that the generated client builds for a call."""
    operation = call.operation
    builder = importlib.import_module(f"{package}.api.drawn.{operation.id}")._get_kwargs
    given = {name: each.given for name, each in call.arguments.items()}
    if call.body is not None:
        given["body"] = importlib.import_module(f"{package}.models").DrawnBody.from_dict(call.body)
    known = {name.removesuffix("_"): name for name in inspect.signature(builder).parameters}
    made = builder(**{known[name]: each for name, each in given.items()})
    return httpx.Request(**{**made, "url": f"https://x{made['url']}"})


@pytest.mark.parametrize("number", [0, 1])
def test_the_generated_client_builds_requests_that_the_engine_understands(engine, tmp_path, number):
    document, operations = some(drawn_specs.specs(min_paths=6, max_paths=8), 2)[number]
    package = generated(document, tmp_path)
    served = Served(engine, document, operations)

    for operation in operations:

        @drawn(30)
        @given(drawn_specs.calls(operation))
        def run(call):
            request = built(package, call)
            path, _, query = request.url.raw_path.decode("ascii").partition("?")
            check_served(served, call, path, query, json.loads(request.content) if request.content else None)

        run()


def _operation(document, path):
    return next(document["paths"][path][method] for method in spec.METHODS if method in document["paths"][path])


def _first_parameter(document, path):
    item = document["paths"][path]
    listed = item.get("parameters", []) + _operation(document, path).get("parameters", [])
    return spec.behind(document, listed[0]) if listed else {}


EDITS = {
    "header parameter": lambda d, p: _operation(d, p).setdefault("parameters", []).append({"name": "x", "in": "header", "schema": {"type": "string"}}),
    "cookie parameter": lambda d, p: d["paths"][p].setdefault("parameters", []).append({"name": "x", "in": "cookie", "schema": {"type": "string"}}),
    "array parameter": lambda d, p: _first_parameter(d, p).update(schema={"type": "array", "items": {"type": "string"}}),
    "object parameter": lambda d, p: _first_parameter(d, p).update(schema={"type": "object"}),
    "nullable parameter": lambda d, p: _first_parameter(d, p).update(schema={"type": ["string", "null"]}),
    "parameter of any type": lambda d, p: _first_parameter(d, p).update(schema={}),
    "union parameter": lambda d, p: _first_parameter(d, p).update(schema={"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    "dangling schema": lambda d, p: _first_parameter(d, p).update(schema={"$ref": "#/components/schemas/Nowhere"}),
    "bad pattern": lambda d, p: _first_parameter(d, p).update(schema={"type": "string", "pattern": "("}),
    "no schema": lambda d, p: _first_parameter(d, p).pop("schema", None),
    "style": lambda d, p: _first_parameter(d, p).update(style="label"),
    "explode": lambda d, p: _first_parameter(d, p).update(explode=_first_parameter(d, p).get("in") == "path"),
    "no name": lambda d, p: _first_parameter(d, p).pop("name", None),
    "no responses": lambda d, p: _operation(d, p).pop("responses"),
    "status range": lambda d, p: _operation(d, p)["responses"].update({"2XX": {"description": "d"}}),
    "default response": lambda d, p: _operation(d, p)["responses"].update(default={"description": "d"}),
    "integer status": lambda d, p: _operation(d, p)["responses"].update({204: {"description": "d"}}),
    "no operationId": lambda d, p: _operation(d, p).pop("operationId"),
    "another operation's id": lambda d, p: _operation(d, p).update(operationId="ping"),
    "no security": lambda d, p: _operation(d, p).pop("security"),
    "callbacks": lambda d, p: _operation(d, p).update(callbacks={}),
    "servers": lambda d, p: d["paths"][p].update(servers=[{"url": "https://x"}]),
    "head": lambda d, p: d["paths"][p].update(head={"operationId": "h", "responses": {"200": {"description": "d"}}}),
    "multipart body": lambda d, p: _operation(d, p).update(requestBody={"content": {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/Metadata"}}}}),
    "two media types": lambda d, p: _operation(d, p).update(requestBody={"content": {kind: {"schema": {"$ref": "#/components/schemas/Metadata"}} for kind in ("application/json", "text/plain")}}),
    "body that is no object": lambda d, p: _operation(d, p).update(requestBody=5),
    "two parameters in a segment": lambda d, p: d["paths"].update({f"{p.rstrip('/')}/{{a}}-{{b}}": d["paths"].pop(p)}),
    "same shape": lambda d, p: d["paths"].update({"/v9/{z}/": copy.deepcopy(d["paths"][p]), "/v9/{y}/": d["paths"][p]}),
    "path without a slash": lambda d, p: d["paths"].update({p[1:]: d["paths"].pop(p)}),
    "path item by reference": lambda d, p: d["paths"].update({p: {"$ref": "#/components/pathItems/x"}}),
    "path item that is a list": lambda d, p: d["paths"].update({p: []}),
    "paths that are a list": lambda d, p: d.update(paths=[]),
    "webhooks": lambda d, p: d.update(webhooks={}),
    "parameters that are an object": lambda d, p: d["paths"][p].update(parameters={}),
    "response headers": lambda d, p: _operation(d, p)["responses"].update({"409": {"description": "d", "headers": {"X": {"required": True, "schema": {"type": "string"}}}}}),
    "optional response headers": lambda d, p: _operation(d, p)["responses"].update({"409": {"description": "d", "headers": {"X": {"schema": {"type": "string"}}}}}),
    "summary": lambda d, p: d["paths"][p].update(summary="Allowed."),
    "deprecated": lambda d, p: _operation(d, p).update(deprecated=True),
    "extension": lambda d, p: _operation(d, p).update({"x-anything": [1]}),
}  # fmt: skip


def unsupported(document):
    """Return why the engine cannot load a document, or None if it can."""
    try:
        read(document)
    except UnsupportedSpec as error:
        return str(error)
    return None


@drawn(40)
@given(data=st.data())
def test_lint_spec_accepts_only_what_the_engine_loads_and_refuses_whatever_it_cannot_load(data):
    document, operations = data.draw(drawn_specs.specs(max_paths=1))
    edits = data.draw(st.lists(st.sampled_from(sorted(EDITS)), unique=True, min_size=1, max_size=2))
    for name in edits:
        try:
            EDITS[name](document, operations[0].path)
        except (KeyError, IndexError, AttributeError, StopIteration, TypeError):
            continue  # the other edit has removed what this one changes

    findings = lint_spec.lint(document)

    assert findings or unsupported(document) is None, "lint-spec accepts what the engine cannot load"
    assert all(each.fix and "Traceback" not in str(each) for each in findings)


@functools.cache
def specs_with_a_query():
    return some(drawn_specs.specs(max_paths=1).filter(lambda each: each.operations[0].of("query")), 6)


ALLOWED = {"summary", "deprecated", "extension", "no security", "optional response headers"}


@pytest.mark.parametrize("name", sorted(EDITS.keys() - ALLOWED))
def test_the_engine_loads_no_document_with(name):
    for original, operations in specs_with_a_query():
        document = copy.deepcopy(original)
        EDITS[name](document, operations[0].path)

        assert unsupported(document) is not None
    assert lint_spec.lint(document) != []
