"""`mem0-exports llm`: try a language model before relying on it."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from mem0_exports.errors import InputError
from mem0_exports_cli import exit_codes
from mem0_exports_cli.llm_options import with_llm
from mem0_exports_cli.options import command, group
from mem0_exports_cli.printing import remark
from mem0_exports_cli.progress import progress
from mem0_exports_engine.extras import require


if TYPE_CHECKING:
    from mem0_exports.llm import LLM
    from mem0_exports_engine.evaluation.bench import Result


def add_to(parent: click.Group) -> None:
    """Add the commands to a group."""
    llm = group(
        parent,
        "llm",
        "Try a language model.\n\nWith a model of your choice, the embedded engine reads values out of the texts of memories. "
        "These commands say whether a model can do that, and how well, before you rely on it. They send invented memories "
        "only.",
        "mem0-exports llm check --llm-url http://127.0.0.1:11434/v1 --llm-model qwen3:8b",
        "mem0-exports llm bench --llm-url http://127.0.0.1:11434/v1 --llm-model qwen3:8b --people 10",
    )
    command(
        llm,
        "check",
        "mem0-exports llm check --llm-url http://127.0.0.1:11434/v1 --llm-model qwen3:8b",
        "MEM0_EXPORTS_LLM_URL=http://127.0.0.1:8080/v1 mem0-exports llm check --llm-model any",
    )(_check)
    command(
        llm,
        "bench",
        "mem0-exports llm bench --llm-url http://127.0.0.1:11434/v1 --llm-model qwen3:8b --people 10",
        "mem0-exports llm bench --llm-url http://127.0.0.1:8080/v1 --llm-model any --people 5 --language zh --json",
    )(_bench)


def _needed(llm: LLM | None) -> LLM:
    if llm is None:
        raise InputError("say which model: --llm-url URL --llm-model NAME", field="llm")
    require("local", "this command")
    return llm


@with_llm
def _check(llm: LLM | None) -> int:
    """Say whether a model can be used.

    Reads the memories of one invented person, and asks the model about 12 known examples. Says how it has to be asked,
    how fast it is, what it found, and whether it can check values. Exit code 1: it cannot be used.
    """
    llm = _needed(llm)
    from mem0_exports_engine.evaluation.bench import measure, people_of  # noqa: PLC0415 -- an extra

    result = measure(llm, people_of(1, 0, ["en"]), attempts=1)
    usage = result.usage
    print(f"{llm.model} at {urlsplit(llm.url).netloc}")
    print(f"  {usage.calls} calls in {usage.seconds:.1f} s, {usage.tokens_in} tokens read, {usage.tokens_out} written")
    _print_reasons(result)
    if result.unread:
        print("  it cannot be used like this")
        return exit_codes.FAILED
    grounded = result.scores["grounded"]
    print(f"  found {grounded.right} of {grounded.expected} values, and {grounded.given - grounded.right} wrong ones")
    can_check = llm.check != "off" and not any("not checked" in note for note in result.notes)
    print(f"  values {'are' if can_check else 'cannot be'} checked by the model")
    return exit_codes.DONE


@click.option(
    "--people", type=click.IntRange(1, 10_000), default=10, show_default=True, help="How many invented people."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Other people for another number.")
@click.option(
    "--language",
    type=click.Choice(["en", "zh", "both"]),
    default="both",
    show_default=True,
    help="The language of their memories.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@with_llm
def _bench(llm: LLM | None, people: int, seed: int, language: str, as_json: bool) -> int:
    """Measure how well a model reads.

    Reads the memories of invented people, in which facts and traps are planted, and says how many values are right: as the
    model has answered (raw), after all was dropped that stands in no memory (grounded), and after the model was asked
    once more about each value (checked). docs/extraction.md explains the figures.

    Says first what it will take. It stops when --llm-max-tokens are used up.
    """
    llm = _needed(llm)
    from mem0_exports_engine.evaluation.bench import estimate, measure, people_of  # noqa: PLC0415 -- an extra

    invented = people_of(people, seed, ["en", "zh"] if language == "both" else [language])
    costs = estimate(llm, invented)
    remark(
        f"{people} people, {sum(each.memories for each in costs)} memories: at least {sum(each.calls for each in costs)} calls, "
        f"with at most {sum(each.tokens_in for each in costs)} tokens of prompts and {sum(each.tokens_out for each in costs)} "
        f"of answers; checks come on top; the limit is {llm.max_tokens_total} tokens"
    )
    with progress("people", people) as show:
        result = measure(llm, invented, on_person=show)
    if as_json:
        print(json.dumps({"model": llm.model, "seed": seed, "language": language, **result.to_dict()}, indent=2))
    else:
        _print(result)
    return exit_codes.DONE if result.people == people and not result.unread else exit_codes.PARTLY


_ROWS: Final = (
    ("precision", "of the filled values are right"),
    ("recall", "of the values were found"),
    ("given", "values filled"),
    ("right", "right"),
    ("absent", "filled although no memory says any"),
    ("unsupported", "stand in no memory"),
    ("stale", "were replaced by a newer memory"),
    ("other", "are said of somebody else"),
    ("hypothetical", "are plans or guesses"),
    ("negated", "are denied"),
    ("injection", "are from an instruction in a memory"),
    ("citations_valid", "stand where the report says"),
    ("citations_right", "are from the memory that was meant"),
    ("paraphrases", "are only paraphrased (not counted)"),
)


def _print(result: Result) -> None:
    figures = {stage: score.to_dict() for stage, score in result.scores.items()}
    print(f"{'':16}" + "".join(f"{stage:>10}" for stage in figures))
    for name, meaning in _ROWS:
        cells = ""
        for stage, each in figures.items():
            value = each.get(name, each["traps"].get(name))
            is_raw = stage == "raw" and name.startswith("citations")
            cells += f"{'-' if value is None or is_raw else f'{value:.2f}' if isinstance(value, float) else value:>10}"
        print(f"{name:16}{cells}  {meaning}")
    usage = result.usage
    print(f"{result.people} people, {figures['raw']['expected']} values to find, {result.unread} memories not read")
    print(
        f"{usage.calls} calls, {usage.tokens_in} tokens read, {usage.tokens_out} written, {usage.seconds:.1f} s in calls"
    )
    _print_reasons(result)


def _print_reasons(result: Result) -> None:
    for reason, count in result.reasons.items():
        print(f"  {reason} ({count} memories)")
    for note in result.notes:
        print(f"  {note}")
