"""Test the documentation: its code runs, and what it names exists. Also test the pre-commit configuration."""

from __future__ import annotations

import re
import sys
import types

from pathlib import Path

import pytest
import yaml

from mem0_exports import Client
from tests.support.scripted_model import scripted


ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PLATFORM, EMBEDDED, TEXTS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
PLATFORM_OUTPUT, EMBEDDED_OUTPUT, TEXTS_OUTPUT = re.findall(r"```text\n(.*?)```", README, flags=re.DOTALL)
SAMPLE = ROOT / "cli" / "mem0_exports_cli" / "demo" / "sample.jsonl"


def test_embedded_example_prints_the_output_in_the_readme(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    exec(compile(EMBEDDED, "README.md", "exec", dont_inherit=True), {})

    assert capsys.readouterr().out == EMBEDDED_OUTPUT
    assert (tmp_path / "memories.db").exists()


def test_platform_example_prints_the_output_in_the_readme(tmp_path, monkeypatch, capsys):
    from tests.support.serving import served

    with Client.local(tmp_path / "store.db") as client:
        client.engine.import_lines(SAMPLE.read_bytes().splitlines())
    with served(tmp_path / "store.db", "k") as url:
        monkeypatch.setenv("MEM0_API_KEY", "k")
        monkeypatch.setenv("MEM0_BASE_URL", url)
        exec(compile(PLATFORM, "README.md", "exec", dont_inherit=True), {})

    assert capsys.readouterr().out == PLATFORM_OUTPUT


MODEL_URL = "http://127.0.0.1:11434/v1"
SAID = {
    "Alex has moved to Lisbon with two cats.": [("city", "Lisbon")],
    "After the move, Alex started at Nortelume.": [("employer", "Nortelume")],
}
"""What the memories of the examples say, for a scripted model in place of the one that they name."""


def test_example_with_a_model_prints_the_output_in_the_readme(capsys):
    with scripted(facts=SAID) as model:
        exec(compile(TEXTS.replace(MODEL_URL, model.url), "README.md", "exec", dont_inherit=True), {})

    assert capsys.readouterr().out == TEXTS_OUTPUT


PAGES = [path for folder in (ROOT, ROOT / "docs") for path in sorted(folder.glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_make_targets_named_on_a_page_exist(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), flags=re.MULTILINE))

    assert named <= set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_to_files_of_the_project_are_valid(page):
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [target for target in targets if not (page.parent / target).exists()] == []


INDEX = ROOT / "docs" / "README.md"
GUIDES = [path for path in sorted((ROOT / "docs").glob("*.md")) if path != INDEX]


def test_index_lists_every_guide_once():
    listed = re.findall(r"^\| \[[\w.-]+\]\(([\w.-]+)\)", INDEX.read_text(encoding="utf-8"), flags=re.MULTILINE)

    assert sorted(listed) == [guide.name for guide in GUIDES]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_code_of_a_guide_runs_from_top_to_bottom(guide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), flags=re.DOTALL)
    module = types.ModuleType("guide")  # dataclasses look up the module that they are defined in
    monkeypatch.setitem(sys.modules, "guide", module)

    assert blocks
    with scripted(facts=SAID) as model:
        for block in blocks:
            code = block.replace(MODEL_URL, model.url)
            exec(compile(code, guide.name, "exec", dont_inherit=True), vars(module))


def test_pre_commit_runs_the_targets_of_make_check():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    gates = re.search(r"^check: (.*?) *##", makefile, flags=re.MULTILINE)
    configuration = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook["entry"] for repository in configuration["repos"] for hook in repository["hooks"]]

    assert gates is not None
    assert hooks == [f"make {target}" for target in gates[1].split()]
