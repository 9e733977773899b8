"""Test that each help describes its command, and that its examples run."""

from __future__ import annotations

import re

from collections.abc import Iterator

import click
import pytest

from mem0_exports_cli.commands import mem0_exports
from mem0_exports_engine.access import create_key
from mem0_exports_engine.clock import now
from mem0_exports_engine.evaluation.people import person
from mem0_exports_engine.store import open_store
from tests.support.scripted_model import scripted


PEOPLE = [person(seed, language=language) for seed in range(10) for language in ("en", "zh")]
"""Those of whom `llm` asks a model."""


def every(command: click.Command, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield names, command
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from every(each, (*names, name))


COMMANDS = dict(every(mem0_exports))


def examples(command: click.Command) -> list[str]:
    return re.findall(r"^  (\S.*mem0-exports .*|mem0-exports .*)$", command.epilog or "", re.MULTILINE)


EXAMPLES = sorted({example for command in COMMANDS.values() for example in examples(command)})


def test_the_commands_of_the_documentation_are_there():
    wanted = ["run", "create", "get", "wait", "many"]
    assert {("export", name) for name in wanted} <= COMMANDS.keys()
    assert {("memories", "list"), ("entities", "list"), ("schema", "show"), ("filter", "check")} <= COMMANDS.keys()
    assert {
        (name,) for name in ["dump", "llm", "import", "report", "status", "completion", "serve", "keys", "demo"]
    } <= COMMANDS.keys()


@pytest.mark.parametrize("names", COMMANDS, ids=lambda names: " ".join(names) or "mem0-exports")
def test_a_help_has_a_description_and_two_examples(names):
    command = COMMANDS[names]

    assert command.help
    if names:
        assert not command.get_short_help_str(60).endswith("..."), (
            "the first sentence must fit into the list of commands"
        )
    assert len(examples(command)) >= 2
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or parameter.help, f"{parameter.name} has no help"


@pytest.mark.parametrize("example", [each for each in EXAMPLES if " serve " not in each])
def test_an_example_runs(shop, example):
    if "revoke" in example:
        store = open_store(shop.folder / "memories.db")
        key, _ = create_key(store.keys, "local", "", now())
        store.close()
        example = example.replace("1a2b3c4d", key.id)
    if "3f0c8a52" in example:
        made = shop.run("export", "create", "models.py:Profile", "-u", "alex", "-q").stdout.decode().strip()
        example = re.sub(r"3f0c8a52[-0-9a-f]*", made, example)

    with scripted(PEOPLE) as model:
        done = shop.shell(f"set -euo pipefail; {re.sub(r'http://127.0.0.1:[0-9]+/v1', model.url, example)}")

    assert (done.returncode, b"rror" in done.stderr) == (0, False), done.stderr.decode()


def test_the_examples_of_serve_are_valid_commands():
    """They run until they are stopped; tests/end_to_end starts servers."""
    for example in examples(COMMANDS["serve",]):
        arguments = example.split()[2:]
        assert COMMANDS["serve",].make_context("serve", arguments).params["store"].name == "memories.db"


@pytest.mark.parametrize("line", ["mem0-exports exp", "mem0-exports export r", "mem0-exports dump --qu"])
def test_a_shell_completes_commands_and_options(shop, line):
    words = line.split()
    done = shop.run(_MEM0_EXPORTS_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))

    (found,) = {entry.partition(",")[2] for entry in done.stdout.decode().splitlines()}
    assert found.startswith(words[-1])
    assert len(found) > len(words[-1])
