"""The results of a run, as a JUnit XML file."""

from __future__ import annotations

import secrets

from pathlib import Path
from xml.etree import ElementTree as ET

from tests.contract.deployment.errors import CouldNotRun
from tests.contract.deployment.output import printable
from tests.contract.deployment.report import Results


class JUnitFile:
    """A file that always holds a complete report.

    It is written once before the first request, with an error, so that a file that cannot be written is found at once,
    and a run that is killed does not leave the report of an earlier run.
    """

    def __init__(self, path: Path, properties: dict[str, str]) -> None:
        self._path = path
        self._properties = properties
        try:
            self._target = path.resolve()
            if self._target.exists() and not self._target.is_file():
                raise CouldNotRun(f"--junit {path} is not a regular file: name a file, such as contract.xml")
            self._write(Results(seed=0, problem="the run was killed before it ended: run it again"))
        except OSError as error:
            raise CouldNotRun(self._failure(error)) from None

    def write(self, results: Results) -> None:
        """Replace the file by the report of these results; raise CouldNotRun if that fails."""
        try:
            self._write(results)
        except OSError as error:
            raise CouldNotRun(self._failure(error)) from None

    def _write(self, results: Results) -> None:
        content = ET.tostring(document(results, self._properties), encoding="utf-8", xml_declaration=True)
        # A reader sees the old file or the new one, never a part of one.
        temporary = self._target.with_name(f".junit-{secrets.token_hex(6)}.tmp")
        try:
            temporary.write_bytes(content + b"\n")
            temporary.replace(self._target)
        finally:
            temporary.unlink(missing_ok=True)

    def _failure(self, error: OSError) -> str:
        return f"--junit {self._path} cannot be written ({error.strerror}): name a file in a folder that can be written"


def document(results: Results, properties: dict[str, str]) -> ET.Element:
    """Return the report: one test case per check, with the operation as its class name."""
    failures = sum(bool(check.differences) for check in results.checks)
    errors = int(results.problem is not None)
    counts = {
        "tests": str(len(results.checks) + len(results.not_checked) + errors),
        "failures": str(failures),
        "errors": str(errors),
        "skipped": str(len(results.not_checked)),
        "time": f"{sum(check.seconds for check in results.checks):.3f}",
    }
    root = _element("testsuites", name="mem0-exports contract", **counts)
    suite = _add(root, "testsuite", name="mem0-exports contract", **counts)
    listed = _add(suite, "properties")
    for name, value in properties.items():
        _add(listed, "property", name=name, value=value)
    for check in results.checks:
        case = _add(suite, "testcase", classname=check.operation, name=check.name, time=f"{check.seconds:.3f}")
        if check.differences:
            kinds = ", ".join(each.kind for each in check.differences)
            first = check.differences[0]
            failure = _add(case, "failure", type=kinds, message=f"promised {first.promised}; received {first.received}")
            failure.text = "\n\n".join(
                f"{each.name}\nsent: {_line(each.sent)}\npromised: {_line(each.promised)}\n"
                f"received: {_line(each.received)}"
                for each in check.differences
            )
    for operation, reason in results.not_checked:
        _add(_add(suite, "testcase", classname=operation, name="not-checked", time="0"), "skipped", message=reason)
    if results.problem is not None:
        case = _add(suite, "testcase", classname="run", name="run", time="0")
        _add(case, "error", type="could-not-run", message=results.problem).text = _line(results.problem)
    _add(suite, "system-out").text = "\n".join(_line(each) for each in (*results.left, results.summary))
    return root


def _element(tag: str, **attributes: str) -> ET.Element:
    return ET.Element(tag, {name: _line(value) for name, value in attributes.items()})


def _add(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    made = _element(tag, **attributes)
    parent.append(made)
    return made


def _line(text: str) -> str:
    """Return `text` without the control characters and surrogates that XML cannot contain."""
    return "".join(each if each not in "\ufffe\uffff" else "?" for each in printable(text))
