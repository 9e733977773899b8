"""The schemathesis command over a socket, against a real server: what only HTTP shows is in it too."""

from __future__ import annotations


def test_the_schemathesis_command_finds_nothing(command_line):
    outcome = command_line.finished()

    assert outcome.code == 0, f"exit code {outcome.code}\n{outcome.output[-8000:]}"
    assert "1 covered / 1 selected / 1 total" in outcome.output, "the link from create to get was followed"
