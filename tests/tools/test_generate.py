"""Test code generation in a copy of the project: reproducible, checked for drift, and without effect if it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path):
    for name in ("openapi.yaml", "codegen.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("tools", "generated"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def generate(project, *arguments):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, project / "tools" / "generate.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )


def tree(project):
    files = (project / "generated").rglob("*")
    return {str(path.relative_to(project)): path.read_bytes() for path in files if path.is_file()}


def test_generation_reproduces_the_committed_code_byte_for_byte(project):
    before = tree(project)

    assert generate(project, "--check").returncode == 0
    assert generate(project).returncode == 0
    after_first_run = tree(project)
    assert generate(project).returncode == 0

    assert before == after_first_run == tree(project)


def test_check_finds_a_manual_edit_of_generated_code(project):
    edited = project / "generated" / "mem0_exports_api" / "models" / "ping.py"
    edited.write_text(edited.read_text().replace("status", "state"))

    done = generate(project, "--check")

    assert done.returncode == 1
    assert "models/ping.py" in done.stdout
    assert "make generate" in done.stderr


def test_check_finds_a_change_of_the_spec_without_regeneration(project):
    spec = project / "openapi.yaml"
    spec.write_text(spec.read_text().replace("description: Check", "description: Look at"))
    assert spec.read_text() == (ROOT / "openapi.yaml").read_text().replace("description: Check", "description: Look at")
    spec.write_text(
        spec.read_text().replace("user_email:\n          type: [string", "user_mail:\n          type: [string")
    )

    done = generate(project, "--check")

    assert done.returncode == 1
    assert "user_mail" in done.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("openapi: 3.1.0", "openapi: [broken"),
        ('$ref: "#/components/schemas/Ping"', '$ref: "#/components/schemas/None"'),
        ("operationId: ping", "operationId: exports_get"),
        ("      name: page\n      in: query", "      name: page\n      in: cookie"),
    ],
    ids=["not YAML", "a dangling reference", "a duplicate operationId", "a cookie parameter"],
)
def test_a_failed_generation_leaves_the_generated_code_unchanged_and_prints_no_traceback(project, old, new):
    before = tree(project)
    spec = project / "openapi.yaml"
    assert old in spec.read_text()
    spec.write_text(spec.read_text().replace(old, new))

    done = generate(project)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "openapi.yaml" in done.stdout + done.stderr
    assert tree(project) == before
