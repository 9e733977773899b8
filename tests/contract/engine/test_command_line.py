"""Test the engine over a real socket with the schemathesis command, which also finds bugs in the HTTP layer."""

from __future__ import annotations


def test_schemathesis_command_finds_no_failures(command_line):
    outcome = command_line.wait()

    assert outcome.code == 0, f"exit code {outcome.code}\n{outcome.output[-8000:]}"
    assert "1 covered / 1 selected / 1 total" in outcome.output, "the link from create to get was not followed"
