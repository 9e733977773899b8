"""The engine: what exports are filled with."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_RUN_JOB = "engine/mem0_exports_engine/workers/run_job.py"
_FIELDS = "engine/mem0_exports_engine/extract/offline/values.py"
_FIT = "engine/mem0_exports_engine/extract/offline/fit.py"
_LOOKUP = "engine/mem0_exports_engine/extract/offline/lookup.py"
_RECORDS = "engine/mem0_exports_engine/extract/offline/records.py"
_RUN = "engine/mem0_exports_engine/extract/offline/extractor.py"
_WORKER = "engine/mem0_exports_engine/workers/thread.py"

MUTANTS: Final = (
    Mutant(
        "extraction.oldest-wins",
        _FIELDS,
        "self._value = first_fit(self.shape, candidates)",
        "self._value = first_fit(self.shape, candidates) if self._value is MISSING else self._value",
        "the address before the last move",
    ),
    Mutant(
        "extraction.gaps-counted-once",
        _FIELDS,
        "self.gaps[path, why] += times",
        "self.gaps[path, why] += 1",
        "the report says that one record lacks what thousands lack",
    ),
    Mutant(
        "extraction.values-twice",
        _FIELDS,
        "            if key not in self._values:\n",
        "            if key not in self._values or not isinstance(fitted, str):\n",
        "the last spelling of an equal number replaces the first, and its memory is counted again",
    ),
    Mutant(
        "extraction.numbers-rounded",
        _FIT,
        "return [number] if math.isfinite(number) and Decimal(repr(number)) == exact else []",
        "return [number] if math.isfinite(number) else []",
        "a number that no float can be is changed without a word",
    ),
    Mutant(
        "extraction.required-forgotten",
        _FIT,
        'return set(self.node.get("required", ()))',
        "return set()",
        "what is required and empty is not reported as such",
    ),
    Mutant(
        "extraction.other-keys-lost",
        _FIT,
        "return [{**declared, **others}, declared] if self.properties else []",
        "return [declared] if self.properties else []",
        "objects lose what their schema does not name",
    ),
    Mutant(
        "extraction.ambiguous-name-guessed",
        _LOOKUP,
        "alike[0] if len(alike) == 1 else None",
        "alike[0] if alike else None",
        "of two keys that are spelled alike, one is taken by chance",
    ),
    Mutant(
        "extraction.metadata-before-own",
        _LOOKUP,
        "        steps += [_metadata_key(key)] if key is not None else []\n",
        "        steps = ([_metadata_key(key)] if key is not None else []) + steps\n",
        "a metadata key hides the memory's own field",
    ),
    Mutant(
        "extraction.other-names-forgotten",
        _LOOKUP,
        "        steps += [_own_field(self._alias)] if self._alias is not None else []\n",
        "",
        "text and tags stay empty",
    ),
    Mutant(
        "extraction.list-not-switched",
        _RECORDS,
        "            self._sink.drop(self._list_index)\n",
        "",
        "records of single memories stay among those of lists",
    ),
    Mutant(
        "extraction.parts-out-of-order",
        _RECORDS,
        "        self._flush()  # first the earlier records that are still in memory: the order is that of the memories\n"
        "        self._put(written.text.encode())\n",
        "        self._put(written.text.encode())\n        self._flush()\n",
        "a long list is not in the order of its memories",
    ),
    Mutant(
        "extraction.record-not-checked",
        _RECORDS,
        'if not pushdown.always_valid and not self.shape.accepts(load(f"[{written.text}]")):',
        "if not pushdown.always_valid and not written.text:",
        "a long list has records that are not valid",
    ),
    Mutant(
        "extraction.other-spelling-lost",
        _RECORDS,
        "step.path != pushdown.paths[name]",
        "step.path is None",
        "a value under a name that is spelled otherwise is not found",
    ),
    Mutant(
        "extraction.lacking-not-checked",
        _RECORDS,
        "if not pushdown.always_valid and not self.shape.accepts(records):",
        "if not pushdown.always_valid and not records:",
        "a long list has records that are not valid, where some lack a value",
    ),
    Mutant(
        "extraction.whole-not-checked",
        _RUN,
        "problem = self._shape.problem(seen) or self._root.problem(seen)",
        "problem = self._shape.problem(seen)",
        "an export that is no instance of its schema",
    ),
    Mutant(
        "extraction.count-of-looked-at",
        _RUN,
        "            count.add(batch.size)\n",
        "            count.add(1)\n",
        "a count is that of the batches",
    ),
    Mutant(
        "extraction.part-number-again",
        _RUN_JOB,
        "        if self._counts.pop(list_index, 0):\n",
        "        if self._counts.get(list_index, 0):\n",
        "after a list was dropped its parts do not begin at the first one",
    ),
)
