"""The code of the README and of the guides runs."""

from __future__ import annotations

import re
import sys
import types

from pathlib import Path

import pytest


README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
PLATFORM, EMBEDDED = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_embedded_example_prints_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    exec(compile(EMBEDDED, "README.md", "exec", dont_inherit=True), {})

    assert capsys.readouterr().out.endswith(" city='Lisbon'\n")
    assert (tmp_path / "memories.db").exists()


def test_the_platform_example_runs_against_a_service_of_ones_own(tmp_path, monkeypatch):
    from tests.support.serving import served

    with served(tmp_path / "store.db", "k") as url:
        monkeypatch.setenv("MEM0_API_KEY", "k")
        monkeypatch.setenv("MEM0_BASE_URL", url)
        names: dict[str, object] = {}
        exec(compile(PLATFORM, "README.md", "exec", dont_inherit=True), names)

    assert repr(names["profile"]) == "Profile(full_name=None, employer=None, hobbies=[])"


@pytest.mark.parametrize("target", re.findall(r"^make ([a-z]+)", README, flags=re.MULTILINE))
def test_every_make_target_of_the_readme_exists(target):
    makefile = (Path(__file__).resolve().parents[2] / "Makefile").read_text(encoding="utf-8")

    assert f"\n{target}: " in makefile


GUIDES = sorted((Path(__file__).resolve().parents[2] / "docs").glob("*.md"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_the_code_of_a_guide_runs_from_top_to_bottom(guide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), flags=re.DOTALL)
    module = types.ModuleType("guide")  # dataclasses look up the module that they are defined in
    monkeypatch.setitem(sys.modules, "guide", module)

    assert blocks
    for block in blocks:
        exec(compile(block, guide.name, "exec", dont_inherit=True), vars(module))
