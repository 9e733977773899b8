"""Run the demo of `mem0-exports demo`: three exports of sample memories of four invented people.

It runs on the embedded engine. All results that it prints come from this run; nothing is prepared.
"""

from __future__ import annotations

import inspect
import json
import textwrap

from datetime import date, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, TypeAdapter

from mem0_exports.client import Client
from mem0_exports.filters.fields import F


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mem0_exports import ExportReport


class Profile(BaseModel):
    full_name: str | None = None
    job_title: str | None = None
    employer: str | None = None
    city: str | None = None
    birth_year: int | None = None
    allergy: str | None = None
    hobbies: list[str] = Field(default=[], alias="hobby")


class Event(BaseModel):
    created_at: datetime
    memory: str
    place: str | None = None


def run(folder: Path, say: Callable[[str], None] = print) -> None:
    """Run the demo and write its files to `folder`, which is created if it does not exist."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # for its owner only, whatever the umask
    names = ("memories.db", "memories.db-wal", "memories.db-shm", "profile.json", "timeline.json", "filtered.json")
    for name in names:
        (folder / name).unlink(missing_ok=True)
    sample = files("mem0_exports_cli.demo").joinpath("sample.jsonl").read_bytes().splitlines()

    with Client.local(folder / "memories.db") as client:
        _title(say, "Input: memories")
        imported = client.engine.import_lines(sample)
        people = [entity.name for entity in client.entities.list() if entity.type == "user"]
        say(
            f"  Imported {imported.added} memories of {len(people)} people ({', '.join(people)}) into one SQLite file, "
            "for example:"
        )
        for line in (sample[1], sample[3], sample[6]):
            record = json.loads(line)
            say(f"    {record['created_at'][:10]}  {record['memory']}")
            say(f"                {json.dumps(record['metadata'], ensure_ascii=False)}")
        say(
            "  There is no server, no API key and no network: Client.local() runs the same client as for the Mem0 Platform "
            "on an embedded engine."
        )

        _title(say, "1. A profile, as a Pydantic instance")
        _source(say, Profile)
        say('  client.exports.run(Profile, F.user_id == "jonas")')
        job = client.exports.create(Profile, F.user_id == "jonas")
        profile = job.result(timeout=30)
        _instance(say, profile)
        _write(folder / "profile.json", profile.model_dump(mode="json"))
        _gaps(say, job.report())

        _title(say, "2. A timeline, as a list of records")
        _source(say, Event)
        since = F.created_at >= date(2025, 6, 1)
        say(f'  client.exports.run(list[Event], (F.user_id == "mara") & ({since!r}))')
        timeline_job = client.exports.create(list[Event], (F.user_id == "mara") & since)
        timeline = timeline_job.result(timeout=30)
        say(f"  -> {len(timeline)} records, oldest first. The first five:")
        for event in timeline[:5]:
            text = textwrap.shorten(event.memory, 68, placeholder=" ...")
            say(f"       {event.created_at:%d %b %H:%M}  {text:<68}  {event.place or ''}".rstrip())
        _write(folder / "timeline.json", TypeAdapter(list[Event]).dump_python(timeline, mode="json"))
        _gaps(say, timeline_job.report())

        _title(say, "3. A filtered export")
        where = (
            F.user_id.in_("alex", "priya")
            & F.categories.in_("travel")
            & F.created_at.between("2025-03-01", "2025-09-01")
            & ~F.keywords.icontains("train")
        )
        say("  Trips of alex and priya from March to August 2025, without those by train:")
        say(textwrap.indent(_wrapped(repr(where)), "    "))
        say("  is sent to the service as")
        say(textwrap.indent(_wrapped(json.dumps(where.to_dict())), "    "))
        trips = client.exports.run(list[Event], where, timeout=30)
        matching = sum(1 for _ in client.memories.list(F.user_id.in_("alex", "priya")))
        say(f"  -> {len(trips)} of the {matching} memories of alex and priya:")
        for event in trips:
            say(f"       {event.created_at:%d %b}  {textwrap.shorten(event.memory, 84, placeholder=' ...')}")
        _write(folder / "filtered.json", TypeAdapter(list[Event]).dump_python(trips, mode="json"))

    _title(say, "Output: files")
    for name in names:
        if (folder / name).exists():
            say(f"  {folder / name}  ({(folder / name).stat().st_size:,} bytes)")
    say("")
    say("Next: README.md shows how to export your own memories, from the Mem0 Platform or the embedded engine.")


def _title(say: Callable[[str], None], text: str) -> None:
    say(f"\n{text}\n{'-' * len(text)}")


def _source(say: Callable[[str], None], kind: type[BaseModel]) -> None:
    say(textwrap.indent(inspect.getsource(kind).rstrip(), "  ") + "\n")


def _instance(say: Callable[[str], None], value: BaseModel) -> None:
    say(f"  -> {type(value).__name__}(")
    for name, content in value:
        say(f"       {name}={content!r},")
    say("     )")


def _gaps(say: Callable[[str], None], report: ExportReport) -> None:
    """Print what stayed empty, and why."""
    if not report.gaps:
        return
    say(f"  {report.memories} memories were read. These fields stayed empty (nothing is guessed from a memory's text):")
    for gap in report.gaps:
        times = f" ({gap.count} of {report.memories} times)" if gap.count > 1 else ""
        hint = f"; did you mean {gap.did_you_mean}?" if gap.did_you_mean else ""
        say(f"       {gap.path}: {gap.reason}{times}{hint}")


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 100, subsequent_indent="  ", break_long_words=False))


def _write(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
