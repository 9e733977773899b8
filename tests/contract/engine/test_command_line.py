"""Test the engine over a real socket with the schemathesis command, which also finds bugs in the HTTP layer."""

from __future__ import annotations

from tests.support import spec


LINKS = {
    name
    for _, _, operation in spec.raw_operations(spec.load())
    for response in operation["responses"].values()
    for name in response.get("links", ())
}


def test_schemathesis_command_finds_no_failures_and_follows_every_link(command_line):
    outcome = command_line.wait(LINKS)

    assert outcome.code == 0, f"exit code {outcome.code}\n{outcome.output[-8000:]}"
    assert outcome.links == LINKS, f"not every link was followed\n{outcome.output[-8000:]}"
