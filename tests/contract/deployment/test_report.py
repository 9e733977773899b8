"""What the command reports: the JUnit file, the summary line, the exit code, and the workflow that users copy."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from mem0_exports import __version__
from tests.contract.deployment import command, options, reads
from tests.contract.deployment.altered import Answer, altered
from tests.contract.deployment.running import KEY, ROOT, differences, run, start, summary
from tests.support.serving import served
from tests.support.timeouts import scaled, wait_until


EXAMPLE = ROOT / "docs" / "examples" / "contract.yml"


def unchanged(request, answer):
    return answer


def report(path: Path):
    """Return the test suite of a JUnit file, after a check of its counts."""
    (suite,) = ET.parse(path).getroot()
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(name)) == len(suite.findall(f"testcase/{tag}"))
    assert int(suite.get("tests")) == len(suite.findall("testcase"))
    return suite


def properties(suite):
    return {each.get("name"): each.get("value") for each in suite.findall("properties/property")}


def differing(request, answer):
    if request.path == "/v1/ping/" and answer.status == 200:
        return Answer(200, {"detail": "\x1b[31m\x00 Größe"})
    return Answer(500, f"Token {KEY} \ud83d".encode(errors="replace")) if b"colour" in request.body else answer


def test_the_junit_file_has_a_test_case_for_each_check(store, tmp_path, capsys):
    file = tmp_path / "contract.xml"
    with altered(store, KEY, differing) as (url, _):
        code, names, printed = differences(f"{url}/", capsys, "--junit", str(file), "--seed", "7")

    suite = report(file)
    cases = {case.get("name"): case for case in suite.findall("testcase")}
    assert code == 1
    skipped = [name for name, case in cases.items() if case.find("skipped") is not None]
    assert len(cases) - len(skipped) == summary(printed)[2] > 30
    assert skipped == ["not-checked"]
    assert cases["not-checked"].get("classname") == "memories_delete"
    assert cases["entities.page-zero"].get("classname") == "entities_list"
    assert float(cases["entities.page-zero"].get("time")) > 0
    failed = {name: case.find("failure") for name, case in cases.items() if case.find("failure") is not None}
    assert (
        [*failed]
        == [name.partition(":")[0] for name in names]
        == [
            "ping.ok",
            "memories.unknown-filter",
            "memories.unknown-key",
        ]
    )
    assert failed["ping.ok"].get("type") == "body"
    assert "sent: GET /v1/ping/, with the key" in failed["ping.ok"].text
    assert "promised: the body that openapi.yaml defines for ping 200" in failed["ping.ok"].text
    assert 'received: 200, /: "status" is a required property' in failed["ping.ok"].text
    assert "promised 400; received 500" in failed["memories.unknown-key"].get("message")
    assert KEY not in file.read_text(encoding="utf-8")
    found = properties(suite)
    assert found == {
        "url": f"{url}/",
        "seed": "7",
        "version": __version__,
        "specification": found["specification"],
    }
    assert [*tmp_path.glob(".junit*")] == []


def test_a_file_of_the_same_name_is_replaced_and_a_link_is_kept(store, tmp_path, capsys):
    target = tmp_path / "target.xml"
    target.write_text("the report of an earlier run")
    link = tmp_path / "contract.xml"
    link.symlink_to(target)
    with altered(store, KEY, unchanged) as (url, _):
        code, _, _ = differences(url, capsys, "--junit", str(link))

    assert code == 0
    assert link.is_symlink()
    assert report(target).get("failures") == "0"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://name:secret@127.0.0.1:1/v", "http://127.0.0.1:1/v"),
        ("name:secret@example.com", "(not a URL)"),
        ("http://name:secret@[::1", "(not a URL)"),
        ("http://127.0.0.1:1/v?token=secret#secret", "http://127.0.0.1:1/v"),
    ],
)
def test_a_run_that_does_not_begin_has_a_report_without_credentials(tmp_path, capsys, url, shown):
    file = tmp_path / "contract.xml"

    assert command.main(["--url", url, "--junit", str(file)]) == 2

    printed = capsys.readouterr().out
    suite = report(file)
    (case,) = suite.findall("testcase")
    assert (case.get("classname"), case.find("error").get("type")) == ("run", "could-not-run")
    assert f"could not run: {case.find('error').text}" in printed
    assert properties(suite)["url"] == shown
    assert "secret" not in printed + file.read_text(encoding="utf-8")
    assert summary(printed) == ("could-not-run", 0, 0, 0, 0, 1)


def test_a_run_that_breaks_off_reports_what_it_found_until_then(store, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reads, "MOST", 12)
    file = tmp_path / "contract.xml"
    with altered(store, KEY, differing) as (url, _):
        code, _, printed = differences(url, capsys, "--junit", str(file))

    suite = report(file)
    assert code == 2
    assert suite.find("testcase[@name='ping.ok']/failure") is not None
    assert "are used up" in suite.find("testcase[@name='run']/error").get("message")
    skipped = {case.get("classname") for case in suite.findall("testcase[@name='not-checked']")}
    assert skipped == {
        *("exports_create", "exports_get", "exports_report", "exports_list", "exports_cancel", "exports_delete"),
        *("memories_add", "memories_get", "memories_delete"),
    }
    assert summary(printed)[:4] == ("could-not-run", 1, 12, 12)


def wait_for_a_request(app):
    wait_until(lambda: app.requests, "the command sends a request", 60)


def test_a_killed_run_leaves_a_report_that_says_so(store, tmp_path):
    file = tmp_path / "contract.xml"
    with altered(store, KEY, unchanged) as (url, app), start(url, "--rate", "1", "--junit", str(file)) as process:
        wait_for_a_request(app)
        process.kill()
        process.communicate()

    assert "was killed" in report(file).find("testcase/error").get("message")


@pytest.mark.parametrize("signaled", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_cleans_up_and_reports(store, tmp_path, signaled):
    created = []

    def pending(request, answer):
        if request.path == "/v1/exports/" and answer.status == 201:
            created.append(request)
        if request.path == "/v1/exports/get/" and created:
            return Answer(404, {"error": "pending"})
        return Answer(204, b"") if request.method == "DELETE" else answer

    file = tmp_path / "contract.xml"
    with altered(store, KEY, pending) as (url, _), start(url, "--write", "--junit", str(file)) as process:
        wait_until(lambda: created, "the command creates an export", 60)
        process.send_signal(signaled)
        printed, _ = process.communicate(timeout=scaled(30))

    assert process.returncode == 2, printed
    assert "could not run: it was interrupted" in printed
    assert "Traceback" not in printed
    assert re.search(r"2 memories of mem0-exports-contract-\w+ were deleted", printed)
    assert report(file).find("testcase[@name='run']/error") is not None
    assert "were deleted" in report(file).find("system-out").text


def test_a_run_that_fails_while_writing_cleans_up(store, capsys):
    def broken(request, answer):
        if request.path == "/v1/exports/" and answer.status == 201:
            return Answer(429, {"detail": "enough"}, retry_after="0")
        return Answer(204, b"") if request.method == "DELETE" else answer

    with altered(store, KEY, broken) as (url, _):
        code, _, printed = differences(url, capsys, "--write")

    assert code == 2
    assert "could not run: POST /v1/exports/ was answered with 429 three times: lower --rate" in printed
    assert re.search(r"2 memories of mem0-exports-contract-\w+ were deleted", printed)


def test_help_and_the_guide_document_the_exit_codes_and_the_summary_line():
    guide = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    assert options.EPILOG in options.parser().format_help()

    for code, meaning in ((0, "the deployment answers as"), (1, "it does not"), (2, "it could not be checked")):
        assert f"  {code}  {meaning}" in options.EPILOG
        assert re.search(rf"^\| {code} \|", guide, flags=re.MULTILINE)
    for name in ("result=", "differences=", "checks=", "requests=", "not-checked=", "seed="):
        assert name in options.EPILOG
        assert name in guide


def test_make_contract_passes_its_variables_on(store, tmp_path):
    file = tmp_path / "a report.xml"
    with served(store, KEY) as url:
        most = str(reads.MOST + 2)
        variables = [f"URL={url}", "RATE=1000", "SEED=9", f"JUNIT={file}", f"MAX_REQUESTS={most}"]
        done = subprocess.run(
            ["make", "--silent", "--old-file=.venv/.ready", "contract", *variables],
            cwd=ROOT,
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=scaled(60),
            check=False,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert summary(done.stdout)[0] == "same"
    assert summary(done.stdout)[-1] == 9
    assert f"at most {most} requests" in done.stdout
    assert properties(report(file))["seed"] == "9"


def test_the_example_workflow_runs_the_command_that_there_is():
    workflow = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    ((_, job),) = workflow["jobs"].items()
    steps = job["steps"]
    (check,) = [step for step in steps if "make contract" in step.get("run", "")]
    (upload,) = [step for step in steps if "upload-artifact" in step.get("uses", "")]

    words = shlex.split(check["run"])
    assert words[:2] == ["make", "contract"]
    variables = dict(word.split("=", 1) for word in words[2:])
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = makefile.partition("ifneq ($(URL),)\ncontract:")[2].partition("else")[0]
    for name in variables:
        assert f"$({name})" in recipe or f"$${name}" in recipe, f"make contract does not use {name}"
    assert check["env"][options.KEY_VARIABLE].startswith("${{ secrets.")
    assert upload["if"] == "always()"
    assert upload["with"]["path"] == variables["JUNIT"]
    for option in re.findall(r"--[a-z-]+", recipe):
        assert option in options.parser().format_help(), f"the command has no option {option}"


def test_the_summary_is_the_last_line_of_every_run(store):
    with served(store, "another-key") as url:
        code, printed = run(url)

    assert code == 2
    assert (
        "could not run: the deployment refuses the key in MEM0_API_KEY: set it to a key of this deployment" in printed
    )
    assert summary(printed)[0] == "could-not-run"
