"""Plant a mutant in a copy of the project, and run suites on it until one fails.

The packages of the copy come first on the path of every Python process that is started in it. Otherwise the installed
package would be tested, and no mutant would ever be caught. `Runner.check_imports` checks that.
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
"""The folders of the project that contain packages."""

TEST_TIMEOUT: Final = 100
"""The timeout of one test in seconds. A test that hangs counts as failed."""

SUITE_TIMEOUT: Final = 900.0
"""The timeout of a whole suite in seconds."""

_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


class InvalidRun(Exception):
    """The run proves nothing, for example because a suite fails without any mutant."""


class Failure(NamedTuple):
    """The name of a suite that failed, and the first failed test or the last line of the output."""

    suite: str
    test: str


class Verdict(NamedTuple):
    """The result for a mutant: the failure that caught it, or None if it survived."""

    mutant: Mutant
    caught: Failure | None
    seconds: float


def copy(root: Path, into: Path) -> None:
    """Copy the files of the project at `root` that git tracks or that are new and not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, into / name)


class Runner:
    """A context manager that copies a project, runs suites in the copies, and deletes them at its end."""

    def __init__(self, root: Path, suites: Sequence[Suite], *, suite_timeout: float = SUITE_TIMEOUT) -> None:
        self.suites = tuple(suites)
        self._suite_timeout = suite_timeout
        self._confirmed: set[str] = set()
        """Tests that were seen to pass without any mutant."""
        self._running: set[int] = set()
        self._stopped = False
        self._folder = Path(tempfile.mkdtemp(prefix="mutants-"))
        self._unchanged = self._folder / "unchanged"
        copy(root, self._unchanged)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def stop(self) -> None:
        """Stop all running suites and start no more. May be called from another thread."""
        self._stopped = True
        for group in list(self._running):
            _end(group)

    def check_imports(self) -> None:
        """Raise InvalidRun unless Python imports the packages of the copy."""
        packages = [each.parent for top in ROOTS for each in sorted(self._unchanged.glob(f"{top}/*/__init__.py"))]
        code = "import importlib, sys; [print(importlib.import_module(name).__file__) for name in sys.argv[1:]]"
        done = self._run(self._unchanged, ["-c", code, *(each.name for each in packages)])
        expected = [str(each / "__init__.py") for each in packages]
        if done is None or done[1].split() != expected:
            raise InvalidRun(f"the copy imports packages from elsewhere: {'' if done is None else done[1]}")

    def baseline(self, suite: Suite) -> None:
        """Raise InvalidRun if the suite fails on the unchanged project."""
        failure = self._failure(self._unchanged, suite)
        if failure is not None:
            raise InvalidRun(f"{suite.name} fails without any mutant: {failure.test}")

    def judge(self, mutant: Mutant) -> Verdict:
        """Run the suites on the mutant until one fails; return the verdict. Raises Stale if it cannot be planted."""
        with tempfile.TemporaryDirectory(prefix="copy-", dir=self._folder, ignore_cleanup_errors=True) as folder:
            project_copy = Path(folder) / "project"
            shutil.copytree(self._unchanged, project_copy, ignore=shutil.ignore_patterns(".run-*"))
            plant(mutant, project_copy)
            started = time.monotonic()
            caught = self._caught(mutant, project_copy)
            return Verdict(mutant, caught, time.monotonic() - started)

    def text(self, file: str) -> str:
        """Return the text of a file of the unchanged project."""
        return (self._unchanged / file).read_text(encoding="utf-8")

    def outputs(self, mutant: Mutant, commands: Sequence[Sequence[str]]) -> list[str]:
        """Return what each Python command prints in a copy with the mutant; nothing if the generator refuses it."""
        with tempfile.TemporaryDirectory(prefix="copy-", dir=self._folder, ignore_cleanup_errors=True) as folder:
            project_copy = Path(folder) / "project"
            shutil.copytree(self._unchanged, project_copy, ignore=shutil.ignore_patterns(".run-*"))
            plant(mutant, project_copy)
            done = self._run(project_copy, ["tools/generate.py", "--no-lint"]) if mutant.regenerate else (0, "")
            if done is None or done[0] != 0:
                return []
            return [output for command in commands if (ran := self._run(project_copy, command)) for output in ran[1:]]

    def _caught(self, mutant: Mutant, project_copy: Path) -> Failure | None:
        if mutant.regenerate:
            done = self._run(project_copy, ["tools/generate.py", "--no-lint"])
            if done is None or done[0] != 0:
                return Failure("generate", "the generator fails")
        relevant = tuple(suite for suite in self.suites if suite.reads in {None, mutant.file})
        commands = [suite for suite in relevant if suite.command]
        tests = [suite for suite in relevant if not suite.command]
        for suite in [*commands, *first_for(mutant.file, relevant), *tests]:
            failure = self._failure(project_copy, suite)
            if failure is not None:
                self._confirm(failure)
                return failure
        return None

    def _confirm(self, failure: Failure) -> None:
        """Raise InvalidRun if the test also fails without the mutant. Quick suites have passed in the baseline."""
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
            if done is None or done[0] not in {4, 5}:  # pytest's codes for a test that does not exist
                break
        raise InvalidRun(f"{test} fails without any mutant")

    def _failure(self, project: Path, suite: Suite) -> Failure | None:
        done = self._run(project, suite.command) if suite.command else self._pytest(project, suite.paths)
        if done is None:
            return Failure(suite.name, f"takes longer than {self._suite_timeout:g} s")
        status, output = done
        if status == 0:
            return None
        failed = _FAILED.search(output)
        if failed is not None:
            return Failure(suite.name, failed[1])
        lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
        error = next((line for line in lines if re.search("(:| -) error", line)), lines[-1])
        return Failure(suite.name, error[:200])

    def _pytest(self, project: Path, paths: Sequence[str]) -> tuple[int, str] | None:
        with tempfile.TemporaryDirectory(prefix=".run-", dir=project, ignore_cleanup_errors=True) as scratch:
            options = ["-x", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider", f"--basetemp={scratch}/t"]
            return self._run(project, ["-m", "pytest", *options, "-o", f"timeout={TEST_TIMEOUT}", *paths])

    def _run(self, project: Path, arguments: Sequence[str]) -> tuple[int, str] | None:
        """Run Python in the project; return the exit status and the output, or None after the timeout."""
        if self._stopped:
            raise InvalidRun("stopped")
        import_paths = [str(project / name) for name in ROOTS]
        tools = str(Path(sys.executable).parent)  # the generator runs other tools by name
        environment = {
            **os.environ,
            "NO_SHRINK": "1",  # tests/conftest.py
            "PYTHONPATH": os.pathsep.join(import_paths),
            "PATH": os.pathsep.join([tools, os.environ.get("PATH", "")]),
        }
        # To a file, because a pipe would stay open as long as a child process that a suite left behind.
        with (
            tempfile.TemporaryFile(dir=self._folder) as output,
            subprocess.Popen(
                [sys.executable, *arguments],
                cwd=project,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its children can be killed with it
            ) as process,
        ):
            self._running.add(process.pid)
            try:
                status = process.wait(timeout=self._suite_timeout)
            except subprocess.TimeoutExpired:
                return None
            finally:
                self._running.discard(process.pid)
                _end(process.pid)
            if self._stopped:
                raise InvalidRun("stopped")
            output.seek(0)
            return status, output.read().decode("utf-8", "replace")


def _end(group: int) -> None:
    """Kill all processes that a suite left running."""
    if sys.platform == "win32":
        raise OSError("planting bugs needs process groups, which Windows does not have")
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
