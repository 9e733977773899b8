"""Bugs in pulling from open-source Mem0."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_PULL = "engine/mem0_exports_engine/importing/pull.py"
_PAYLOADS = "engine/mem0_exports_engine/importing/payloads.py"
_STORE = "engine/mem0_exports_engine/store/sqlite/pulled.py"
_SOURCES = "engine/mem0_exports_engine/sources"

MUTANTS: Final = (
    Mutant(
        "pulling.own-memories-replaced",
        _STORE,
        "                if its_source != source:\n",
        "                if its_source is None and False:\n",
        "a pull replaces a memory that the user has added",
    ),
    Mutant(
        "pulling.all-sources-deleted",
        _STORE,
        '_SOURCE: Final = "project = ? AND source = ?"',
        '_SOURCE: Final = "project = ? AND coalesce(source, ?) IS NOT NULL"',
        "a pull deletes the memories of other sources",
    ),
    Mutant(
        "pulling.changes-overlooked",
        _STORE,
        '                elif record_key != row["record_key"]:\n',
        '                elif record_key is not row["record_key"] and False:\n',
        "a memory that was changed in Mem0 stays as it was",
    ),
    Mutant(
        "pulling.large-loss-deleted",
        _PULL,
        "is_small = source.is_certain and seen.count and missing * _LARGE_LOSS <= before",
        "is_small = source.is_certain and seen.count",
        "a wrong folder empties the store",
    ),
    Mutant(
        "pulling.uncertain-source-deletes",
        _PULL,
        "is_small = source.is_certain and seen.count and missing * _LARGE_LOSS <= before",
        "is_small = seen.count and missing * _LARGE_LOSS <= before",
        "memories are deleted because a store does not list all",
    ),
    Mutant(
        "pulling.unreadable-memories-deleted",
        _PULL,
        "                seen.add([kept_id(point.id)[0]])\n",
        "                pass\n",
        "a memory that cannot be read any more is deleted",
    ),
    Mutant(
        "pulling.last-batch-lost",
        _PULL,
        "    seen.add(rows)\n    if rows:\n",
        "    if rows:\n",
        "the last memories of a source are deleted after they were added",
    ),
    Mutant(
        "pulling.odd-times-lost",
        _PAYLOADS,
        "            raw[name] = payload.pop(name)\n    record = ",
        "            payload.pop(name)\n    record = ",
        "a created_at that is no time is not kept anywhere",
    ),
    Mutant(
        "pulling.ids-lost",
        _PAYLOADS,
        '        raw["id"] = point.id\n',
        "        pass\n",
        "an id that is written in another way is not kept",
    ),
    Mutant(
        "pulling.any-class-unpickled",
        f"{_SOURCES}/qdrant.py",
        "            return _PLAIN[module, name]\n",
        "            return _PLAIN.get((module, name)) or super().find_class(module, name)\n",
        "a point of Qdrant can run any code",
    ),
    Mutant(
        "pulling.queue-of-chroma-ignored",
        f"{_SOURCES}/chroma.py",
        "        if waiting:\n",
        "        if waiting and False:\n",
        "memories that Chroma has not applied yet are missing",
    ),
    Mutant(
        "pulling.first-page-only",
        f"{_SOURCES}/own_memory.py",
        "            if len(found) < most:\n",
        "            if found or len(found) < most:\n",
        "only the first memories of an application's store are pulled",
    ),
)
