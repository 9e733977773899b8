"""Test filters at a shell: F syntax is parsed and never run, and says what Python itself would say."""

from __future__ import annotations

import contextlib
import json
import sys

from datetime import UTC, date, datetime

import pytest

from hypothesis import given
from hypothesis import strategies as st

from mem0_exports import F, FilterError, InputError
from mem0_exports_cli.where import read_where


EXPRESSIONS = [
    'F.user_id == "alex"',
    '(F.user_id == "alex") & F.categories.in_("food", "work")',
    '(F.user_id == "alex") & (F.created_at >= date(2025, 1, 1)) & ~F.categories.in_("spam")',
    '(F.user_id.in_("a", "b") | (F.agent_id == "c")) & (F.metadata["city"] == "Lisbon")',
    'F.user_id.in_(["a", "b"])',
    '(F.run_id == "r") & F.created_at.between("2025-01-01", "2025-02-01")',
    '(F.user_id == "x") & (F.updated_at < datetime(2025, 1, 1, 12))',
    '(F.user_id == "x") & F.agent_id.exists()',
]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_is_what_python_makes_of_it(text):
    names = {"F": F, "date": date, "datetime": lambda *parts: datetime(*parts, tzinfo=UTC)}

    found = read_where(text)

    assert not isinstance(found, dict)
    assert found.to_dict() == eval(text, names).to_dict()  # the expressions are those above


def test_json_a_file_and_standard_input(tmp_path, monkeypatch):
    wanted = {"AND": [{"user_id": "alex"}]}
    (tmp_path / "f.json").write_text("\ufeff" + json.dumps(wanted), encoding="utf-8")
    (tmp_path / "f.txt").write_text('F.user_id == "alex"\n')

    assert read_where(json.dumps(wanted)) == wanted
    assert read_where(f"@{tmp_path / 'f.json'}") == wanted
    found = read_where(f"@{tmp_path / 'f.txt'}")
    assert not isinstance(found, dict)
    assert found.to_dict() == wanted
    with (tmp_path / "f.txt").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert read_where("-") == found


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("", "neither F syntax"),
        ("alex", "cannot be in a filter"),
        ("F.user_id", "must be a filter such as"),
        ("F.user_id = 'a'", "neither F syntax"),
        ("F.user == 'a'", "the fields are agent_id"),
        ("F.user_id == 'a' and F.run_id == 'b'", "write & for and"),
        ("not F.user_id == 'a'", "write & for and"),
        ("F.user_id in ['a']", "F.user_id.in_("),
        ("'2025' < F.created_at < '2026'", "put each comparison in parentheses"),
        ("F.user_id == 'a' & F.run_id == 'b'", "parentheses"),
        ("{'a': 1}", "neither F syntax|not valid JSON"),
        ('{"user_id": ', "not valid JSON"),
        ("@/none/at/all", "cannot be read"),
        ("F.created_at >= date(2025, 13, 1)", "month must be in 1..12"),
        ("F.user_id.in_()", "at least one value"),
        ("(" * 5000 + "F.user_id == 'a'" + ")" * 5000, "nested|neither"),
        ("~" * 100_000 + "F.user_id", "nested"),
        ("F.user_id == '" + "a" * 1_000_001 + "'", "at most 1,000,000 characters"),
        ("F.user_id == 'a\0'", "null"),
        ("F.created_at > date(100000000000000000000, 1, 1)", "too large"),
        ("F.created_at.last(days=100000000000000000)", "days"),
        ("[1][10]", "out of range"),
        ('{"a": F}["b"]', "--where"),
        ("F.user_id.in_(F)", "F.user_id"),
    ],
    ids=lambda text: text[:30],
)
def test_what_is_no_filter_gets_an_error_with_the_mend(text, mend):
    with pytest.raises(InputError, match=mend.replace("(", r"\(").replace(")", r"\)").replace(".", r"\.")):
        read_where(text)


HOSTILE = [
    '__import__("os").system("touch hacked")',
    'open("hacked", "w")',
    "F.__class__",
    "F.user_id.__class__.__mro__",
    'F.user_id.in_.__globals__["__builtins__"]',
    'F.user_id.in_.__func__("a")',
    '(F.user_id == "a").__class__',
    '(F.user_id == "a").to_dict()',
    '"{0.__class__}".format(F)',
    "(lambda: F)()",
    "[F for _ in (1,)]",
    "F.user_id == (x := 'a')",
    "date.today()",
    "datetime.__subclasses__()",
    "date(*[2025, 1, 1])",
    "9**9**9",
    "'a' * 10**9",
    "f'{F}'",
    'F.user_id.in_(*["a"])',
    "print(F)",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_code_is_never_run(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(FilterError):
        read_where(text)

    assert [*tmp_path.iterdir()] == []


@given(st.text(alphabet=st.sampled_from([*"F.user_id ==in_()[]{}&|~\"'a,<>-0123:@\n"]), max_size=40))
def test_any_text_is_a_filter_or_an_input_error(text):
    if text == "-":
        return
    with contextlib.suppress(InputError):
        read_where(text)
