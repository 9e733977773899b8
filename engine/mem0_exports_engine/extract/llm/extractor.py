"""Fill a schema from the metadata and from the texts of memories.

1. `extract.offline` collects what metadata say.
2. What they leave empty is asked of the model, chunk by chunk. A value from metadata is asked for only in memories that
   are newer, and the newer one wins.
3. Of the model's answer only what stands in a memory is kept (`findings`), and if there is a judge, only what it confirms.
4. What the chunks have found is merged (`merge`). Where they disagree on a scalar, the model is asked once more, with just
   the memories in question.

Every answer is kept before the next step, so that an export that is interrupted goes on where it was.
"""

from __future__ import annotations

import time

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import attrs

from mem0_exports_engine.extract.llm.calls import MAX_ATTEMPTS, Calls
from mem0_exports_engine.extract.llm.chunks import Chunk, Packing, TooLong, form_of
from mem0_exports_engine.extract.llm.endpoint import Endpoint
from mem0_exports_engine.extract.llm.findings import Finding, Hit, Record, Texts
from mem0_exports_engine.extract.llm.judge import Judge
from mem0_exports_engine.extract.llm.merge import Merged, Read, same
from mem0_exports_engine.extract.llm.notebook import Notebook
from mem0_exports_engine.extract.llm.pool import Pool
from mem0_exports_engine.extract.llm.problems import CallFailed
from mem0_exports_engine.extract.llm.questions import Leaf, Questions, has_full_list
from mem0_exports_engine.extract.llm.slots import OneOf, Records, Scalar, Values, given_at, shown, slots_of
from mem0_exports_engine.extract.llm.usage import Estimate
from mem0_exports_engine.extract.offline.extractor import NOT_FOLLOWED, collect
from mem0_exports_engine.extract.offline.values import MISSING
from mem0_exports_engine.extraction import Extraction, Unfillable
from mem0_exports_engine.report import ModelUsage


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mem0_exports.llm import LLM
    from mem0_exports_engine.extract.llm.findings import Path
    from mem0_exports_engine.extract.llm.questions import Node
    from mem0_exports_engine.extract.llm.slots import Slot
    from mem0_exports_engine.extract.offline.extractor import Collected
    from mem0_exports_engine.extraction import Workbench
    from mem0_exports_engine.ports import MemoryBatch
    from mem0_exports_engine.report import Report

_MAX_NAMED: Final = 20
"""The most properties that a remark names."""

_MAX_NAME: Final = 200
"""The most characters of a name in it."""

_CAN_BE_ASKED: Final = (
    "it can be asked for strings, numbers, dates, lists and objects with named properties (at most 1,000 in one), and for "
    'booleans only with ungrounded="judge"'
)
_NO_PROPERTIES: Final = "the language model was not asked: the root of the schema is a union, or names no properties"

_REFUSED: Final = "the model, asked again, did not confirm that the memory says so"
_NO_JUDGE: Final = "the model gave a value that stands in no memory, and nothing can check it"


class Plan:
    """What is asked for, and from which memory on."""

    def __init__(self, collected: Collected, *, with_booleans: bool) -> None:
        self.nodes: dict[str, Node] = {}
        """All that is asked for."""
        self.later: dict[str, dict[str, Node]] = {}
        """By the id of a memory, what its metadata say, so that it is asked for only in newer memories."""
        self.from_metadata: dict[str, tuple[Any, str]] = {}
        """For those properties, the value from metadata and the id of its memory."""
        self.notes: list[str] = []
        """What the report says about properties that the model cannot be asked for."""
        unasked: list[str] = []
        questions = Questions(with_booleans=with_booleans)
        for each in collected.properties():
            is_filled = each.value is not MISSING
            if not each.can_be_read or (is_filled and each.source is None):
                continue
            node = questions.of(each.shape)
            if node is None or (is_filled and not isinstance(node, Leaf)):
                unasked += [] if is_filled else [each.name[:_MAX_NAME]]
                continue
            self.nodes[each.name] = node
            if each.source is not None:
                self.later.setdefault(each.source, {})[each.name] = node
                self.from_metadata[each.name] = each.value, each.source
        if unasked:
            others = f" and {len(unasked) - _MAX_NAMED} others" if len(unasked) > _MAX_NAMED else ""
            self.notes.append(
                f"not asked of the language model: {', '.join(unasked[:_MAX_NAMED])}{others}; {_CAN_BE_ASKED}"
            )
        if not collected.properties():
            self.notes.append(_NO_PROPERTIES)

    @property
    def open_nodes(self) -> dict[str, Node]:
        """What is asked for from the first memory on."""
        return {name: node for name, node in self.nodes.items() if name not in self.from_metadata}


class LLMExtractor:
    """Implement `extraction.Extractor` with a language model."""

    def __init__(
        self, llm: LLM, *, pause: Callable[[float], object] = time.sleep, attempts: int = MAX_ATTEMPTS
    ) -> None:
        """Create it. `pause` waits between two attempts for a call while the service is busy."""
        self.llm = llm
        self._endpoint = Endpoint(llm)
        self._pause = pause
        self._attempts = attempts

    def extract(
        self,
        schema: dict[str, Any],
        batches: Iterable[MemoryBatch],
        sink: Workbench,
        *,
        instructions: str | None = None,
    ) -> Extraction:
        """Fill the schema from memories, which come oldest first.

        Raises Unfillable if a required property has no value, or if the filled object does not match the schema.
        """
        collected = collect(schema, batches, sink)
        plan = Plan(collected, with_booleans=self.llm.ungrounded == "judge")
        chunks = self._chunks(plan, batches, instructions)
        first = next(chunks, None)
        if first is None:
            return collected.finish(plan.notes)
        if not sink.begin_long_work():
            return collected.finish([NOT_FOLLOWED] if instructions is not None else [])
        calls = Calls(self.llm, self._endpoint, sink, pause=self._pause, attempts=self._attempts)
        reader = _Reader(self.llm, calls)
        merged = Merged(plan.nodes)
        sink.progress(0, collected.count)

        def readable() -> Iterator[Chunk]:
            for each in chain([first], chunks):
                if isinstance(each, TooLong):
                    merged.add(Read.nothing([(each.memory, each.why)]))
                else:
                    yield each

        pool = Pool(lambda: calls.at_once, sink.check)
        for read in pool.map(reader.read, readable()):
            merged.add(read)
            sink.progress(merged.read, collected.count)
        for slot, hits in [*merged.disputed()]:
            merged.settle(slot.path, reader.decide(slot, hits, instructions))
        return self._finish(collected, plan, merged, reader)

    def estimate(
        self,
        schema: dict[str, Any],
        batches: Iterable[MemoryBatch],
        recall: Callable[[bytes], bytes | None],
        instructions: str | None = None,
    ) -> Estimate:
        """Return what an export will take. Nothing is sent. `recall` returns the answers that are kept."""
        collected = collect(schema, batches, Notebook())
        plan = Plan(collected, with_booleans=self.llm.ungrounded == "judge")
        requests = cached = tokens_in = tokens_out = too_long = 0
        for chunk in self._chunks(plan, batches, instructions):
            if isinstance(chunk, TooLong):
                too_long += 1
                continue
            request = chunk.request()
            if recall(request.key(self.llm)) is not None:
                cached += 1
                continue
            requests += 1
            tokens_in += request.tokens_in
            tokens_out += request.max_tokens
        return Estimate(self.llm.model, collected.count, requests, cached, tokens_in, tokens_out, too_long)

    def close(self) -> None:
        """Close the connections to the model."""
        self._endpoint.close()

    def _chunks(
        self, plan: Plan, batches: Iterable[MemoryBatch], instructions: str | None
    ) -> Iterator[Chunk | TooLong]:
        if not plan.nodes:
            return iter(())
        return Packing(self.llm, instructions).chunks(batches, plan.open_nodes, plan.later)

    def _finish(self, collected: Collected, plan: Plan, merged: Merged, reader: _Reader) -> Extraction:
        texts = merged.texts()
        notes = [*plan.notes, *reader.notes()]
        for name, (value, source) in plan.from_metadata.items():
            found = texts.pop(name)
            if found.value is MISSING or same(found.value) == same(value):
                continue
            texts[name] = found
            notes.append(
                f"{name}: the metadata of memory {source} have another value than the text of the newer memory "
                f"{found.memory_ids[0]}, which was used"
            )

        def completed(report: Report) -> Report:
            usage = reader.calls.usage
            return attrs.evolve(
                report,
                gaps=[*report.gaps, *merged.report()],
                notes=[*report.notes, *notes],
                unread=merged.unread.total(),
                unread_ids=merged.unread_ids,
                usage=ModelUsage(
                    self.llm.model,
                    usage.calls,
                    usage.cached,
                    usage.tokens_in,
                    usage.tokens_out,
                    round(usage.seconds, 3),
                ),
            )

        try:
            frame, report = collected.finish([], texts)
        except Unfillable as error:
            raise Unfillable(str(error), completed(error.report)) from None
        return Extraction(frame, completed(report))


class _Reader:
    """Reads chunks. Safe to share between threads."""

    def __init__(self, llm: LLM, calls: Calls) -> None:
        self.calls = calls
        self._llm = llm
        self._judge = Judge(llm, calls)

    def read(self, chunk: Chunk) -> Read:
        """Return what is found in a chunk. One that cannot be read is split, and at last given up."""
        names = chunk.form.nodes.keys()
        try:
            answer = self.calls.ask(
                chunk.request(), lambda given: isinstance(given, dict) and bool(names & given.keys())
            )
        except CallFailed as failed:
            if failed.kind != "too_long" or len(chunk.memories) == 1:
                return Read.nothing((memory, str(failed)) for memory in chunk.memories)
            return self._halves(chunk)
        if len(chunk.memories) > 1 and any(
            has_full_list(node, answer.get(name)) for name, node in chunk.form.nodes.items()
        ):
            return self._halves(chunk)  # there can be more than the list had room for
        return self._found(chunk.form.nodes, Texts(chunk.memories, with_ungrounded=self._with_ungrounded), answer)

    def _halves(self, chunk: Chunk) -> Read:
        one, two = chunk.halves()
        return self.read(one).with_other(self.read(two))

    @property
    def _with_ungrounded(self) -> bool:
        return self._llm.ungrounded == "judge"

    def _found(self, nodes: Mapping[str, Node], texts: Texts, answer: Any) -> Read:
        read = Read([], [], [], Counter(), [], len(texts.memories))
        for node in nodes.values():
            node.shape.work.end_batch()  # what values may take is counted for each chunk, not for the whole export
        for slot in chain.from_iterable(slots_of((name,), node) for name, node in nodes.items()):
            self._take(slot, texts, given_at(answer, slot.path), read)
        for path, why, _ in texts.dropped:
            read.gaps[shown(tuple(step for step in path if isinstance(step, str))), why] += 1
        return read

    def _take(self, slot: Slot, texts: Texts, given: Any, read: Read) -> None:
        items = given if isinstance(given, list) else []
        match slot:
            case Scalar(path, leaf):
                hit = self._confirmed(texts.find(path, leaf.shape, given), read)
                read.scalars.extend([] if hit is None else [(path, hit)])
            case Values(path, leaf):
                hits = (self._confirmed(texts.find(path, leaf.shape, item), read) for item in items)
                read.values.extend((path, hit) for hit in hits if hit is not None)
            case Records(path, node):
                for item in items:
                    self._take_record(path, texts.record(path, node, item), read)
            case OneOf(path, node):
                self._take_record(path, texts.record(path, node, given) if given is not None else None, read)

    def _take_record(self, path: Path, record: Record | None, read: Read) -> None:
        if record is None:
            return
        kept: list[Finding] = []
        for finding in record.findings:
            hit = self._confirmed(attrs.evolve(finding, path=(*path, *finding.path)), read)
            if hit is not None:
                kept.append(attrs.evolve(finding, hits=(hit,)))
        smaller = attrs.evolve(record, findings=tuple(kept))
        if kept and smaller.value is not None:
            read.records.append((path, smaller))

    def _confirmed(self, finding: Finding | None, read: Read) -> Hit | None:
        """Return the first place of a value that the judge confirms; without a judge, the first where it stands."""
        if finding is None:
            return None
        if not self._judge.is_able:
            if finding.hits[0].span is not None:
                return finding.hits[0]
            read.gaps[_named(finding.path), _NO_JUDGE] += 1
            return None
        description = finding.shape.node.get("description")
        for hit in finding.hits:
            says = self._judge.says(hit.memory.text, shown(finding.path), description, hit.value)
            if says or (says is None and hit.span is not None):
                return hit
        read.gaps[_named(finding.path), _REFUSED] += 1
        return None

    def decide(self, slot: Scalar, hits: list[Hit], instructions: str | None) -> Hit:
        """Return which of several values counts, the newest last: the one that the model picks from their memories."""
        memories = [*{hit.memory.order: hit.memory for hit in hits}.values()]
        form = form_of({"value": slot.leaf}, instructions, self._llm)
        try:
            answer = self.calls.ask(
                Chunk(form, memories).request(), lambda given: isinstance(given, dict) and "value" in given
            )
        except CallFailed:
            return hits[-1]
        finding = Texts(memories, with_ungrounded=False).find(slot.path, slot.leaf.shape, answer["value"])
        chosen = [] if finding is None else [hit for hit in hits if hit.value == finding.hits[0].value]
        return chosen[-1] if chosen else hits[-1]

    def notes(self) -> list[str]:
        """Return remarks for the report."""
        notes = [] if self._judge.note is None else [self._judge.note]
        if self._judge.unchecked:
            notes.append(f"{self._judge.unchecked} values were not checked by the model, because a call failed")
        return notes


def _named(path: Path) -> str:
    return shown(tuple(step for step in path if isinstance(step, str)))
