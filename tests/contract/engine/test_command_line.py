"""Test the engine over a real socket with the schemathesis command, which also finds bugs in the HTTP layer."""

from __future__ import annotations

from tests.support import spec


LINKS = sum(
    len(response.get("links", ()))
    for _, _, operation in spec.raw_operations(spec.load())
    for response in operation["responses"].values()
)


def test_schemathesis_command_finds_no_failures_and_follows_every_link(command_line):
    outcome = command_line.wait()

    assert outcome.code == 0, f"exit code {outcome.code}\n{outcome.output[-8000:]}"
    followed = f"{LINKS} covered / {LINKS} selected / {LINKS} total"
    assert followed in outcome.output, f"not every link was followed\n{outcome.output[-8000:]}"
