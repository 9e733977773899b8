"""Bugs in reading values out of texts with a language model."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_LLM: Final = "engine/mem0_exports_engine/extract/llm"

MUTANTS: Final = (
    Mutant(
        "reading.one-letter-counts",
        f"{_LLM}/grounding.py",
        "        if len(wanted) < 2:\n",
        "        if len(wanted) < 1:\n",
        "a single letter of the model's answer is filled",
    ),
    Mutant(
        "reading.parts-of-words-count",
        f"{_LLM}/grounding.py",
        "            if is_bounded(text, start, start + len(wanted)):\n",
        "            if wanted:\n",
        "Lisbon stands in Lisbonne",
    ),
    Mutant(
        "reading.parts-of-numbers-count",
        f"{_LLM}/grounding.py",
        "        return not (joined_before or joined_after)\n",
        "        return True\n",
        "10 stands in 10:30",
    ),
    Mutant(
        "reading.days-and-months-swapped",
        f"{_LLM}/grounding.py",
        "        if one > 12 or one == two:\n",
        "        if one > 0:\n",
        "5/7/1979 is the fifth of July for everybody",
    ),
    Mutant(
        "reading.span-of-the-folded-text",
        f"{_LLM}/folding.py",
        "        return self.starts[start], self.ends[end - 1]\n",
        "        return start, end\n",
        "the evidence is at another place of the stored text",
    ),
    Mutant(
        "reading.ungrounded-values-are-filled",
        f"{_LLM}/findings.py",
        "        if not hits and self._with_ungrounded:\n            hits = ",
        "        if not hits:\n            hits = ",
        "values that stand in no memory are filled",
    ),
    Mutant(
        "reading.full-lists-are-enough",
        f"{_LLM}/questions.py",
        "        return len(given) >= MAX_ITEMS and len({dump(item) for item in given}) >= MAX_ITEMS\n",
        "        return False\n",
        "the items of a long list that have no room in one answer are lost without a word",
    ),
    Mutant(
        "reading.records-from-several-memories",
        f"{_LLM}/findings.py",
        "            finding = self.find(inner, leaf.shape, each, [place])\n",
        "            finding = self.find(inner, leaf.shape, each)\n",
        "a record mixes what several memories say",
    ),
    Mutant(
        "reading.oldest-value-wins",
        f"{_LLM}/merge.py",
        "                yield slot, sorted(hits.values(), key=lambda hit: hit.memory.order)\n",
        "                yield slot, sorted(hits.values(), key=lambda hit: -hit.memory.order)\n",
        "what was replaced long ago is exported",
    ),
    Mutant(
        "reading.answers-are-not-kept",
        f"{_LLM}/calls.py",
        '        self._bench.keep(key, json_text.dump({"content": content}))\n',
        "",
        "after a crash, everything is asked and paid for again",
    ),
    Mutant(
        "reading.cut-answers-are-not-kept",
        f"{_LLM}/calls.py",
        "            if failed.kind in OF_ANSWERS and failed.usage.calls:\n",
        "            if failed.kind in FINAL and failed.usage.calls:\n",
        "after a crash, a chunk that was too long is asked for again",
    ),
    Mutant(
        "reading.one-call-too-many",
        f"{_LLM}/calls.py",
        "            if self._sent >= self._llm.max_calls:\n",
        "            if self._sent > self._llm.max_calls:\n",
        "an export makes more calls than it may",
    ),
    Mutant(
        "reading.tokens-without-end",
        f"{_LLM}/calls.py",
        "            if used + most > self._llm.max_tokens_total:\n",
        "            if used > 2 * self._llm.max_tokens_total:\n",
        "an export takes more tokens than it may",
    ),
    Mutant(
        "reading.quota-is-asked-for-ever",
        f"{_LLM}/calls.py",
        "                if failed.kind in FINAL:\n                    self._end(failed)\n",
        "",
        "a service whose quota is used up is asked for every chunk",
    ),
    Mutant(
        "reading.cancel-is-not-noticed",
        f"{_LLM}/calls.py",
        '        """Raise if this call must not be made; otherwise count it."""\n        self._bench.check()\n',
        '        """Raise if this call must not be made; otherwise count it."""\n',
        "a call begins after the export was cancelled",
        survives="the thread that takes the results checks too, so that only a call in the same instant begins",
    ),
    Mutant(
        "reading.older-sentences-beat-metadata",
        f"{_LLM}/extractor.py",
        "        return {name: node for name, node in self.nodes.items() if name not in self.from_metadata}\n",
        "        return self.nodes\n",
        "an old sentence replaces what newer metadata say",
    ),
    Mutant(
        "reading.unread-memories-are-not-said",
        f"{_LLM}/extractor.py",
        "                return Read.nothing((memory, str(failed)) for memory in chunk.memories)\n",
        "                return Read.nothing()\n",
        "a chunk that failed is reported as read",
    ),
    Mutant(
        "reading.refused-values-stay",
        f"{_LLM}/extractor.py",
        "            if says or (says is None and hit.span is not None):\n",
        "            if says or hit.span is not None:\n",
        "the check removes nothing",
    ),
    Mutant(
        "reading.every-judge-is-able",
        f"{_LLM}/judge.py",
        "        return right >= NEEDED\n",
        "        return True\n",
        "a model that answers every question alike decides about values",
    ),
    Mutant(
        "reading.another-model-has-the-same-answers",
        f"{_LLM}/request.py",
        "            llm.model,\n",
        "",
        "after a change of the model, the answers of the old one are used",
    ),
    Mutant(
        "reading.cut-answers-are-read",
        f"{_LLM}/answers.py",
        '    if finish == "length":\n',
        '    if finish == "never":\n',
        "a chunk whose answer was cut is not split",
    ),
    Mutant(
        "reading.cut-prompts-are-not-noticed",
        f"{_LLM}/answers.py",
        "    if prompt_size >= _MIN_CUT and usage.tokens_in * _LONGEST_TOKEN < prompt_size:\n",
        "    if prompt_size < 0:\n",
        "memories that the service has cut off count as read",
    ),
    Mutant(
        "reading.calls-without-end",
        f"{_LLM}/endpoint.py",
        "        deadline = self._monotonic() + self._llm.timeout\n",
        "        deadline = self._monotonic() + 3600\n",
        "a server that sends a byte now and then holds an export up for an hour",
    ),
    Mutant(
        "reading.memories-of-several-lines",
        f"{_LLM}/prompts.py",
        "    return f\"[{label}] {day} {' '.join(text.split())}\"\n",
        '    return f"[{label}] {day} {text}"\n',
        "a memory can look like several, and like the end of the prompt",
    ),
    Mutant(
        "reading.no-lane-of-its-own",
        "engine/mem0_exports_engine/workers/workbench.py",
        '        if self._lane == "short":\n            raise LongWork\n',
        "",
        "exports from metadata wait for minutes behind those that ask a model",
    ),
    Mutant(
        "reading.answers-of-other-projects",
        "engine/mem0_exports_engine/store/sqlite/answers.py",
        "        this = sa.and_(answers.c.project == project, answers.c.key == key)\n",
        "        this = answers.c.key == key\n",
        "the answers for one project are used for another",
    ),
)
