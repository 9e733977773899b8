"""Test the mutant runner on a tiny project: which mutants are caught, survive or are stale."""

from __future__ import annotations

import io
import subprocess

from pathlib import Path

import pytest

from tests.mutants.__main__ import matching, run_mutants
from tests.mutants.catalogue import MUTANTS
from tests.mutants.model import Mutant, Stale, plant, problem
from tests.mutants.runner import InvalidRun, Runner
from tests.mutants.suites import SUITES, Suite, first_for


ROOT = Path(__file__).resolve().parents[2]
UNIT = Suite("unit", ("tests/unit",))
MODULE = "facade/sums/__init__.py"
PYPROJECT = """
[tool.pytest.ini_options]
timeout = 300
addopts = ["-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:anyio"]
"""

CAUGHT = Mutant("sums.minus", MODULE, "a + b", "a - b", "sums are differences")
BROKEN = Mutant("sums.no-import", MODULE, "def add", "import no_such_module\n\n\ndef add", "nothing works")
SURVIVES = Mutant("sums.order", MODULE, "a + b", "b + a", "the sum is the same", survives="addition commutes")
STALE = Mutant("sums.stale", MODULE, "a * b", "a / b", "the old text no longer exists")
ENDLESS = Mutant("sums.endless", MODULE, "return a + b", "while True:\n        pass", "add never returns")


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    files = {
        MODULE: "def add(a, b):\n    return a + b\n",
        "tests/unit/test_sums.py": "from sums import add\n\n\ndef test_one_and_one():\n    assert add(1, 1) == 2\n",
        "pyproject.toml": PYPROJECT,
        "ignored.txt": "not copied",
        ".gitignore": "ignored.txt\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root


def run(project, *mutants, **more):
    out = io.StringIO()
    status = run_mutants(project, mutants, [UNIT], out=out, **more)
    return status, out.getvalue()


def test_reports_the_test_that_caught_each_mutant_and_the_survivors(project):
    before = {path: path.read_bytes() for path in project.rglob("*.py")}

    status, text = run(project, CAUGHT, BROKEN, SURVIVES, jobs=2)

    lines = {line.split()[0]: line for line in text.splitlines() if line.startswith("sums.")}
    assert "unit/test_sums.py::test_one_and_one" in lines["sums.minus"]
    assert lines["sums.no-import"].split()[1] == "unit"
    assert "SURVIVES" in lines["sums.order"]
    assert "2 of 3 caught (67%)" in text
    assert "survives: sums.order: addition commutes" in text
    assert status == 1, "an explained survivor must not count as caught"
    assert {path: path.read_bytes() for path in project.rglob("*.py")} == before


def test_names_a_stale_mutant_and_runs_nothing(project):
    status, text = run(project, CAUGHT, STALE)

    assert status == 2
    assert f"sums.stale: its old text occurs 0 times in {MODULE}, instead of once" in text
    assert "caught" not in text


def test_a_mutant_is_stale_if_its_text_is_ambiguous_or_its_file_is_missing(project):
    assert "occurs 2 times" in str(
        problem(CAUGHT._replace(old="add", file="tests/unit/test_sums.py", new="x"), project)
    )
    with pytest.raises(Stale, match=r"gone\.py does not exist"):
        plant(CAUGHT._replace(file="gone.py"), project)


def test_reports_a_suite_that_fails_without_any_mutant(project):
    (project / MODULE).write_text("def add(a, b):\n    return a + b + 1\n")

    status, text = run(project, CAUGHT)  # noticed when the runner confirms the catch without the mutant
    assert status == 2
    assert "test_one_and_one fails without any mutant" in text

    with Runner(project, [UNIT]) as runner, pytest.raises(InvalidRun, match="unit fails without any mutant"):
        runner.baseline(UNIT)


def test_rejects_a_copy_that_imports_packages_from_elsewhere(project):
    with Runner(project, [UNIT]) as runner:
        runner.check_imports()
        for path in (runner._unchanged / "facade").rglob("*.py"):
            path.write_text("__file__ = 'elsewhere'\n")
        with pytest.raises(InvalidRun, match="elsewhere"):
            runner.check_imports()


def test_stops_a_suite_that_never_ends(project):
    quick = UNIT._replace(quick=True)  # so that the runner does not confirm the failure
    with Runner(project, [quick], suite_timeout=2) as runner:
        caught = runner.judge(ENDLESS).caught

    assert caught == ("unit", "takes longer than 2 s")


def test_does_not_copy_files_that_git_ignores(project):
    with Runner(project, [UNIT]) as runner:
        assert not (runner._unchanged / "ignored.txt").exists()
        assert (runner._unchanged / "pyproject.toml").exists()


def test_patterns_match_parts_of_mutant_names():
    assert matching([CAUGHT, BROKEN, SURVIVES], "minus ord*r") == [CAUGHT, SURVIVES]
    assert matching([CAUGHT, BROKEN], "") == [CAUGHT, BROKEN]


def test_files_to_run_first_belong_to_the_chosen_suites():
    file = "engine/mem0_exports_engine/operations.py"
    by_name = {suite.name: suite for suite in SUITES}

    assert [each.name for each in first_for(file, SUITES)] == ["unit", "congruence", "properties"]
    assert first_for(file, (by_name["engine"],)) == []


def test_catalogue_has_many_mutants_with_unique_names():
    # This must not check whether mutants are stale: in a copy with a planted mutant, that one always is, so this test
    # would catch every mutant.
    assert len(MUTANTS) >= 45
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert all(mutant.why and (mutant.file == "openapi.yaml" or not mutant.regenerate) for mutant in MUTANTS)


def test_files_to_run_first_exist():
    first = {path for mutant in MUTANTS for suite in first_for(mutant.file, SUITES) for path in suite.paths}

    assert [
        path for path in (*first, *(path for suite in SUITES for path in suite.paths)) if not (ROOT / path).exists()
    ] == []
