"""Test the exceptions: they can be pickled, and the class tree is the documented one."""

from __future__ import annotations

import pickle
import re

import pytest

from mem0_exports import errors


EXAMPLES = [
    errors.Mem0ExportsError("text"),
    errors.ConfigurationError("no key"),
    errors.InputError("bad", field="page_size"),
    errors.FilterError("bad", pointer="/AND/0"),
    errors.SchemaError("bad"),
    errors.NoAnswer("none"),
    errors.ConnectionFailed("refused", operation="ping", sent=False),
    errors.RequestTimeout("slow", operation="ping"),
    errors.ResponseTooLarge(operation="exports_get", limit=1000, status=200, request_id="r"),
    errors.LedgerError("full"),
    errors.OutcomeUnknown("lost", fingerprint="f"),
    errors.StatusError("odd", status=418, operation="ping", request_id="r", retry_after=2.0),
    errors.BadRequest("bad", status=400, operation="ping"),
    errors.Unauthorized("who", status=401, operation="ping"),
    errors.Forbidden("no", status=403, operation="ping"),
    errors.NotFound("where", status=404, operation="ping"),
    errors.RateLimited("slow down", status=429, operation="ping", retry_after=1.5),
    errors.ServerError("oh", status=500, operation="ping"),
    errors.ContractViolation("short", operation="ping", excerpt="{", status=201, request_id="r", garbled=True),
    errors.ExportTimeout("id-1", timeout=60, polls=9),
    errors.ExportFailed("id-1", "why"),
    errors.ExportInvalid("id-1", data={"a": 1}, errors=[{"path": "/a", "message": "no", "input": 1}]),
    errors.ExportIncomplete("nothing found", export_id="id-1", data={}, report=None),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error):
    error.attempts = 3
    error.outcome_unknown = True

    unpickled = pickle.loads(pickle.dumps(error))

    assert type(unpickled) is type(error)
    assert str(unpickled) == str(error) != ""
    assert vars(unpickled) == vars(error)
    assert (unpickled.attempts, unpickled.outcome_unknown) == (3, True)


def test_every_class_has_an_example_here_and_is_in_the_documented_tree():
    classes = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.Mem0ExportsError)
    }
    documented = set(re.findall(r"^[│├└─ ]*([A-Z]\w+)", errors.__doc__, flags=re.MULTILINE)) & classes

    assert {type(error).__name__ for error in EXAMPLES} == classes
    assert documented == classes


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.ConfigurationError, ValueError),
        (errors.FilterError, ValueError),
        (errors.ConnectionFailed, ConnectionError),
        (errors.RequestTimeout, TimeoutError),
        (errors.ExportTimeout, TimeoutError),
        (errors.ExportInvalid, ValueError),
    ],
)
def test_errors_derive_from_builtin_exceptions(kind, builtin):
    assert issubclass(kind, builtin)


def test_export_timeout_explains_the_404_and_how_to_continue():
    text = str(errors.ExportTimeout("id-1", timeout=60, polls=9))

    for word in ("60 s", "9 polls", "running", "failed", "expired", "unknown", "client.exports.get('id-1', Model)"):
        assert word in text


def test_export_invalid_shows_the_first_errors_and_counts_the_rest():
    problems = [{"path": f"/{index}", "message": "no", "input": "x" * 500} for index in range(7)]

    text = str(errors.ExportInvalid("id-1", data={}, errors=problems))

    assert "/4: no" in text
    assert "and 2 more" in text
    assert len(text) < 1000
