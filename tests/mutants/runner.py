"""Plants one mutant in a copy of the project, and runs suites until one fails.

The copy's own facade/ and generated/ come first on the path of every Python that is started there: an installed package
would otherwise be tested in their place, and no mutant ever be caught. `Runner.baseline` makes sure of that.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from tests.mutants.model import Mutant, plant
from tests.mutants.suites import Suite, first_for


if TYPE_CHECKING:
    from collections.abc import Sequence

ROOTS: Final = ("facade", "engine", "cli", "generated")
"""Folders of the project that modules are imported from."""

LONGEST_TEST: Final = 100
"""Seconds for one test: what hangs has noticed something."""

LONGEST_SUITE: Final = 900.0
"""Seconds for a whole suite."""

_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


class Unsound(Exception):
    """A suite fails without any mutant, so that nothing can be said."""


class Failure(NamedTuple):
    """A suite that failed: which, and at which test, where it named one."""

    suite: str
    test: str


class Verdict(NamedTuple):
    """What became of a mutant."""

    mutant: Mutant
    caught: Failure | None
    seconds: float


def copy(root: Path, into: Path) -> None:
    """Copy what belongs to the project at `root`: what git knows, and what is new and not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, into / name)


class Runner:
    """Runs suites in copies of one project, which it takes when it is made. A context: the copies go at its end."""

    def __init__(self, root: Path, suites: Sequence[Suite], *, longest_suite: float = LONGEST_SUITE) -> None:
        self.suites = tuple(suites)
        self._longest = longest_suite
        self._confirmed: set[str] = set()
        """Tests that are known to pass without any mutant."""
        self._running: set[int] = set()
        self._stopped = False
        self._place = Path(tempfile.mkdtemp(prefix="mutants-"))
        self._unchanged = self._place / "unchanged"
        copy(root, self._unchanged)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._place, ignore_errors=True)

    def stop(self) -> None:
        """End what is running, and start nothing more; for another thread."""
        self._stopped = True
        for group in list(self._running):
            _end(group)

    def check_imports(self) -> None:
        """Unsound unless what is imported in the copy is the copy's."""
        packages = [each.parent for top in ROOTS for each in sorted(self._unchanged.glob(f"{top}/*/__init__.py"))]
        code = "import importlib, sys; [print(importlib.import_module(name).__file__) for name in sys.argv[1:]]"
        done = self._run(self._unchanged, ["-c", code, *(each.name for each in packages)])
        wanted = [str(each / "__init__.py") for each in packages]
        if done is None or done[1].split() != wanted:
            raise Unsound(f"the copy does not import its own packages but {'' if done is None else done[1]}")

    def baseline(self, suite: Suite) -> None:
        """Unsound where the suite fails on the unchanged project."""
        failure = self._failure(self._unchanged, suite)
        if failure is not None:
            raise Unsound(f"{suite.name} fails without any mutant: {failure.test}")

    def judge(self, mutant: Mutant) -> Verdict:
        """Which of the suites catches the mutant. Stale where it cannot be planted."""
        with tempfile.TemporaryDirectory(prefix="copy-", dir=self._place, ignore_cleanup_errors=True) as place:
            copied = Path(place) / "project"
            shutil.copytree(self._unchanged, copied, ignore=shutil.ignore_patterns(".run-*"))
            plant(mutant, copied)
            begun = time.monotonic()
            caught = self._caught(mutant, copied)
            return Verdict(mutant, caught, time.monotonic() - begun)

    def _caught(self, mutant: Mutant, copied: Path) -> Failure | None:
        if mutant.regenerate:
            done = self._run(copied, ["tools/generate.py"])
            if done is None or done[0] != 0:
                return Failure("generate", "the generator refuses it")
        concerned = tuple(suite for suite in self.suites if suite.reads in {None, mutant.file})
        for suite in [*first_for(mutant.file, concerned), *concerned]:
            failure = self._failure(copied, suite)
            if failure is not None:
                self._confirm(failure)
                return failure
        return None

    def _confirm(self, failure: Failure) -> None:
        """Unsound where the test fails without the mutant too. Suites of the baseline are known not to."""
        suite = next((each for each in self.suites if each.name == failure.suite), None)
        if suite is None or suite.quick or not suite.paths:
            return
        test = failure.test if "::" in failure.test else suite.paths[0]
        for path in (test, test.partition("::")[0]):
            if path in self._confirmed:
                return
            done = self._pytest(self._unchanged, (path,))
            if done is not None and done[0] == 0:
                self._confirmed.add(path)
                return
            if done is None or done[0] not in {4, 5}:  # those say that there is no such test
                break
        raise Unsound(f"{test} fails without any mutant")

    def _failure(self, project: Path, suite: Suite) -> Failure | None:
        done = self._run(project, suite.command) if suite.command else self._pytest(project, suite.paths)
        if done is None:
            return Failure(suite.name, f"takes longer than {self._longest:g} s")
        status, output = done
        if status == 0:
            return None
        named = _FAILED.search(output)
        if named is not None:
            return Failure(suite.name, named[1])
        last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "it says nothing")
        return Failure(suite.name, last[:200])

    def _pytest(self, project: Path, paths: Sequence[str]) -> tuple[int, str] | None:
        with tempfile.TemporaryDirectory(prefix=".run-", dir=project, ignore_cleanup_errors=True) as scratch:
            options = ["-x", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider", f"--basetemp={scratch}/t"]
            return self._run(project, ["-m", "pytest", *options, "-o", f"timeout={LONGEST_TEST}", *paths])

    def _run(self, project: Path, arguments: Sequence[str]) -> tuple[int, str] | None:
        """The exit status and the output of Python in the project; None where it takes too long."""
        if self._stopped:
            raise Unsound("it was stopped")
        found = [str(project / name) for name in ROOTS]
        tools = str(Path(sys.executable).parent)  # the generator calls others by name
        environment = {
            **os.environ,
            "NO_SHRINK": "1",  # tests/conftest.py
            "PYTHONPATH": os.pathsep.join(found),
            "PATH": os.pathsep.join([tools, os.environ.get("PATH", "")]),
        }
        # Into a file: a pipe would be open for as long as a child that a suite has left behind.
        with (
            tempfile.TemporaryFile(dir=self._place) as output,
            subprocess.Popen(
                [sys.executable, *arguments],
                cwd=project,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its children can be ended with it
            ) as process,
        ):
            self._running.add(process.pid)
            try:
                status = process.wait(timeout=self._longest)
            except subprocess.TimeoutExpired:
                return None
            finally:
                self._running.discard(process.pid)
                _end(process.pid)
            if self._stopped:
                raise Unsound("it was stopped")
            output.seek(0)
            return status, output.read().decode("utf-8", "replace")


def _end(group: int) -> None:
    """End whatever a suite has left running."""
    if sys.platform == "win32":
        raise OSError("planting bugs needs process groups, which Windows does not have")
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
