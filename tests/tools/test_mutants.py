"""The runner of planted bugs, on a project of three lines: what it says of mutants that are caught, survive or are stale."""

from __future__ import annotations

import io
import subprocess

from pathlib import Path

import pytest

from tests.mutants.__main__ import chosen, hunt
from tests.mutants.catalogue import MUTANTS
from tests.mutants.model import Mutant, Stale, plant, problem
from tests.mutants.runner import Runner, Unsound
from tests.mutants.suites import SUITES, Suite, first_for


ROOT = Path(__file__).resolve().parents[2]
UNIT = Suite("unit", ("tests/unit",))
MODULE = "facade/sums/__init__.py"
LIGHT = """
[tool.pytest.ini_options]
timeout = 300
addopts = ["-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:anyio"]
"""

CAUGHT = Mutant("sums.minus", MODULE, "a + b", "a - b", "sums are differences")
BROKEN = Mutant("sums.no-import", MODULE, "def add", "import no_such_module\n\n\ndef add", "nothing works")
SURVIVES = Mutant("sums.order", MODULE, "a + b", "b + a", "nothing is wrong", survives="addition commutes")
STALE = Mutant("sums.stale", MODULE, "a * b", "a / b", "not there any more")
ENDLESS = Mutant("sums.endless", MODULE, "return a + b", "while True:\n        pass", "no answer ever")


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    files = {
        MODULE: "def add(a, b):\n    return a + b\n",
        "tests/unit/test_sums.py": "from sums import add\n\n\ndef test_one_and_one():\n    assert add(1, 1) == 2\n",
        "pyproject.toml": LIGHT,
        "ignored.txt": "not copied",
        ".gitignore": "ignored.txt\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root


def said(project, *mutants, **more):
    out = io.StringIO()
    status = hunt(project, mutants, [UNIT], out=out, **more)
    return status, out.getvalue()


def test_it_says_which_test_caught_a_mutant_and_which_mutant_survives(project):
    before = {path: path.read_bytes() for path in project.rglob("*.py")}

    status, text = said(project, CAUGHT, BROKEN, SURVIVES, jobs=2)

    lines = {line.split()[0]: line for line in text.splitlines() if line.startswith("sums.")}
    assert "unit/test_sums.py::test_one_and_one" in lines["sums.minus"]
    assert lines["sums.no-import"].split()[1] == "unit"
    assert "SURVIVES" in lines["sums.order"]
    assert "2 of 3 caught (67%)" in text
    assert "survives: sums.order: addition commutes" in text
    assert status == 1, "an explained survivor does not count as caught"
    assert {path: path.read_bytes() for path in project.rglob("*.py")} == before


def test_a_stale_mutant_is_named_and_nothing_is_run(project):
    status, text = said(project, CAUGHT, STALE)

    assert status == 2
    assert f"sums.stale: its old text stands 0 times in {MODULE}, not once" in text
    assert "caught" not in text


def test_a_text_that_stands_twice_or_a_file_that_is_gone_is_stale(project):
    assert "stands 2 times" in str(
        problem(CAUGHT._replace(old="add", file="tests/unit/test_sums.py", new="x"), project)
    )
    with pytest.raises(Stale, match="there is no gone"):
        plant(CAUGHT._replace(file="gone.py"), project)


def test_a_suite_that_fails_without_any_mutant_says_nothing(project):
    (project / MODULE).write_text("def add(a, b):\n    return a + b + 1\n")

    status, text = said(project, CAUGHT)  # found when its catch is confirmed
    assert status == 2
    assert "test_one_and_one fails without any mutant" in text

    with Runner(project, [UNIT]) as runner, pytest.raises(Unsound, match="unit fails without any mutant"):
        runner.baseline(UNIT)


def test_a_copy_that_imports_an_installed_package_in_its_place_is_found(project):
    with Runner(project, [UNIT]) as runner:
        runner.check_imports()
        for path in (runner._unchanged / "facade").rglob("*.py"):
            path.write_text("__file__ = 'elsewhere'\n")
        with pytest.raises(Unsound, match="elsewhere"):
            runner.check_imports()


def test_a_suite_without_end_is_ended(project):
    quick = UNIT._replace(quick=True)  # so that its failure is not confirmed
    with Runner(project, [quick], longest_suite=2) as runner:
        caught = runner.judge(ENDLESS).caught

    assert caught == ("unit", "takes longer than 2 s")


def test_what_git_ignores_is_not_copied(project):
    with Runner(project, [UNIT]) as runner:
        assert not (runner._unchanged / "ignored.txt").exists()
        assert (runner._unchanged / "pyproject.toml").exists()


def test_patterns_choose_by_parts_of_names():
    assert chosen([CAUGHT, BROKEN, SURVIVES], "minus ord*r") == [CAUGHT, SURVIVES]
    assert chosen([CAUGHT, BROKEN], "") == [CAUGHT, BROKEN]


def test_the_first_files_of_a_module_are_those_of_chosen_suites():
    file = "engine/mem0_exports_engine/operations.py"
    by_name = {suite.name: suite for suite in SUITES}

    assert [each.name for each in first_for(file, SUITES)] == ["unit", "congruence", "properties"]
    assert first_for(file, (by_name["engine"],)) == []


def test_the_planted_bugs_are_many_and_have_names_of_their_own():
    # Not whether they are stale: in a copy with a mutant that one always is, and so this test would catch every mutant.
    assert len(MUTANTS) >= 45
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert all(mutant.why and (mutant.file == "openapi.yaml" or not mutant.regenerate) for mutant in MUTANTS)


def test_files_to_run_first_are_there():
    first = {path for mutant in MUTANTS for suite in first_for(mutant.file, SUITES) for path in suite.paths}

    assert [
        path for path in (*first, *(path for suite in SUITES for path in suite.paths)) if not (ROOT / path).exists()
    ] == []
