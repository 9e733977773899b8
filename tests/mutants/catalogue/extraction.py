"""Bugs in the extraction: the values that exports are filled with."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_FIELDS = "engine/mem0_exports_engine/extract/offline/values.py"
_FIT = "engine/mem0_exports_engine/extract/offline/fit.py"
_LOOKUP = "engine/mem0_exports_engine/extract/offline/lookup.py"
_RECORDS = "engine/mem0_exports_engine/extract/offline/records.py"
_LISTS = "engine/mem0_exports_engine/extract/offline/record_lists.py"
_RUN = "engine/mem0_exports_engine/extract/offline/extractor.py"
_FILLING = "engine/mem0_exports_engine/extract/offline/filling.py"
_WORKBENCH = "engine/mem0_exports_engine/workers/workbench.py"
_WORKER = "engine/mem0_exports_engine/workers/thread.py"

_WORK = "engine/mem0_exports_engine/extract/offline/work.py"
_MEMORIES = "engine/mem0_exports_engine/extract/offline/memories.py"
_BATCHES = "engine/mem0_exports_engine/store/sqlite/batches.py"
_COST = "engine/mem0_exports_engine/schema_cost.py"

MUTANTS: Final = (
    Mutant(
        "work.never-too-much",
        _WORK,
        "        if steps > left:\n            return False\n",
        "",
        "one memory can keep the worker busy for hours",
    ),
    Mutant(
        "work.shared-by-all-memories",
        _WORK,
        "        self._memory = memory_id\n",
        "",
        "values are left out of long exports because other memories were large",
    ),
    Mutant(
        "work.explanations-are-free",
        _WORK,
        "return self.affords(_EXPLANATION * self.steps_for(value))",
        "return True",
        "saying why a large value does not match a union takes gigabytes",
    ),
    Mutant(
        "work.lists-merge-for-free",
        _COST,
        '        own[number] += sum(of_lists[value] for value in _nodes_of(node, "properties"))\n',
        "        pass\n",
        "many lists of one large object take the product of their sizes",
    ),
    Mutant(
        "work.keys-not-shared",
        _MEMORIES,
        "            keys = self._cache[names] = Keys(names)\n",
        "            keys = Keys(names)\n",
        "each memory is a group of its own, although all have the same metadata keys",
    ),
    Mutant(
        "work.counted-twice",
        _RECORDS,
        "                work.left = before  # what was counted is counted again when the record is made value by value\n",
        "",
        "a record has fewer values because they were measured twice",
    ),
    Mutant(
        "work.repeated-text-not-measured",
        _RECORDS,
        "self._drop_changing(made, memories, columns, self._all if plan.repeats else self._measured)",
        "self._drop_changing(made, memories, columns, self._measured)",
        "a record has one large text any number of times",
    ),
    Mutant(
        "extraction.oldest-wins",
        _FIELDS,
        "self._value = first_fit(self.shape, candidates)",
        "self._value = first_fit(self.shape, candidates) if self._value is MISSING else self._value",
        "an export has the oldest value instead of the newest",
    ),
    Mutant(
        "extraction.gaps-counted-once",
        _FIELDS,
        "            noted.times += times\n",
        "            noted.times += 1\n",
        "the report counts a value that thousands of records lack once",
    ),
    Mutant(
        "extraction.later-spelling-wins",
        _FIELDS,
        "            if key not in self._values:\n",
        "            if key not in self._values or not isinstance(fitted, str):\n",
        "an equal number in another spelling replaces the first one, and is counted again",
    ),
    Mutant(
        "extraction.numbers-rounded",
        _FIT,
        "return [number] if math.isfinite(number) and Decimal(repr(number)) == exact else []",
        "return [number] if math.isfinite(number) else []",
        "a number that a float cannot represent is silently rounded",
    ),
    Mutant(
        "extraction.required-ignored",
        _FIT,
        'return set(self.node.get("required", ()))',
        "return set()",
        "missing required fields are not reported",
    ),
    Mutant(
        "extraction.other-keys-lost",
        _FIT,
        "return [{**declared, **others}, declared] if self.properties else []",
        "return [declared] if self.properties else []",
        "objects lose the keys that their schema does not name",
    ),
    Mutant(
        "extraction.ambiguous-name-guessed",
        _LOOKUP,
        "if name in keys or len(alike) == 1:",
        "if name in keys or alike:",
        "of two keys with similar spelling, an arbitrary one is used",
    ),
    Mutant(
        "extraction.metadata-before-own-fields",
        _LOOKUP,
        "        if wanted in _OWN:\n",
        "        if wanted in _OWN and name not in keys:\n",
        "a metadata key takes precedence over a field of the memory",
    ),
    Mutant(
        "extraction.aliases-ignored",
        _LOOKUP,
        "        if wanted in _ALIASES:\n",
        "        if False:\n",
        "fields named text or tags stay empty",
    ),
    Mutant(
        "extraction.first-records-kept",
        _LISTS,
        "            self._sink.drop(self._list_index)\n",
        "",
        "one record per memory stays although a memory has a list",
    ),
    Mutant(
        "extraction.parts-out-of-order",
        _RECORDS,
        "        self._flush()  # earlier records come first, because records are in the order of their memories\n"
        "        self._put(text.encode())\n",
        "        self._put(text.encode())\n        self._flush()\n",
        "the records of a long list are not in the order of the memories",
    ),
    Mutant(
        "extraction.lacking-fields-written",
        _BATCHES,
        "sum({some_absent} OR instr(metadata, '[') > 0)",
        "sum(instr(metadata, '[') > 0)",
        "a record that SQL has written has a null for a field that its memory does not have",
    ),
    Mutant(
        "extraction.lists-overlooked",
        _BATCHES,
        "sum({some_absent} OR instr(metadata, '[') > 0)",
        "sum({some_absent})",
        "a list of records in a memory is not found once SQL writes the records",
    ),
    Mutant(
        "extraction.record-not-validated",
        _RECORDS,
        "        if self._has_plain_items and self.shape.accepts([record for record in made if record is not None]):\n",
        "        if self._has_plain_items:\n",
        "a list has invalid records",
    ),
    Mutant(
        "extraction.invalid-records-kept",
        _RECORDS,
        "            if record is not None and not self._item.accepts(record):\n",
        "            if record is not None and not record:\n",
        "a list in which one record is invalid has it",
    ),
    Mutant(
        "extraction.lists-with-keywords-checked-by-item",
        _LISTS,
        "        self._has_plain_items = not other_keywords\n",
        "        self._has_plain_items = True\n",
        "a list has more items than its schema allows",
    ),
    Mutant(
        "extraction.conversions-skipped",
        _RECORDS,
        "index for index in self._all if shape.work.has_patterns or not maker.shapes[index].is_plain_scalar",
        "index for index in self._all if shape.work.has_patterns",
        "an object in a record keeps keys under another spelling than that of its schema",
    ),
    Mutant(
        "extraction.other-spelling-ignored",
        _LOOKUP,
        "    if not others or None not in found:\n",
        "    if found:\n",
        "a value under another spelling of its name is not found",
    ),
    Mutant(
        "extraction.groups-in-order-of-their-keys",
        _RECORDS,
        "                made[place] = record\n        for place",
        "                made[place] = record\n        made.sort(key=str)\n        for place",
        "the records of a list are not in the order of the memories if these have different metadata keys",
    ),
    Mutant(
        "extraction.result-not-validated",
        _FILLING,
        "mismatch = self._shape.mismatch(seen) or self._root.mismatch(seen)",
        "mismatch = self._shape.mismatch(seen)",
        "the result does not match its schema",
    ),
    Mutant(
        "extraction.batches-counted",
        _FILLING,
        "            count.add(batch.size)\n",
        "            count.add(1)\n",
        "a count is the number of batches instead of memories",
    ),
    Mutant(
        "extraction.part-numbers-not-reset",
        _WORKBENCH,
        "        if self._counts.pop(list_index, 0):\n",
        "        if self._counts.get(list_index, 0):\n",
        "after a list was dropped, its parts are not numbered from 0",
    ),
)
