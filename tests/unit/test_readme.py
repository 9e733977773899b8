"""The README's code runs."""

from __future__ import annotations

import re

from pathlib import Path

import pytest


README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
PLATFORM, EMBEDDED = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_embedded_example_prints_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    exec(EMBEDDED, {})

    assert capsys.readouterr().out.endswith(" city='Lisbon'\n")
    assert (tmp_path / "memories.db").exists()


def test_the_platform_example_runs_against_a_service_of_ones_own(tmp_path, monkeypatch):
    from tests.serving import served

    with served(tmp_path / "store.db", "k") as url:
        monkeypatch.setenv("MEM0_API_KEY", "k")
        monkeypatch.setenv("MEM0_BASE_URL", url)
        names: dict[str, object] = {}
        exec(PLATFORM, names)

    assert repr(names["profile"]) == "Profile(full_name=None, employer=None, hobbies=[])"


@pytest.mark.parametrize("target", re.findall(r"^make ([a-z]+)", README, flags=re.MULTILINE))
def test_every_make_target_of_the_readme_exists(target):
    makefile = (Path(__file__).resolve().parents[2] / "Makefile").read_text(encoding="utf-8")

    assert f"\n{target}: " in makefile
