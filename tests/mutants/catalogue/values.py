"""Bugs in the engine's values: time zones, expiry, texts and numbers."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_ROWS = "engine/mem0_exports_engine/store/rows.py"
_CLOCK = "engine/mem0_exports_engine/clock.py"
_ENGINE = "engine/mem0_exports_engine/engine.py"
_JSON_SQL = "engine/mem0_exports_engine/store/sqlite/functions.py"
_JSON_TEXT = "engine/mem0_exports_engine/json_text.py"
_MEMORIES = "engine/mem0_exports_engine/store/sqlite/memories.py"
_OPERATIONS = "engine/mem0_exports_engine/operations.py"
_TIMES = "facade/mem0_exports/filters/times.py"

MUTANTS: Final = (
    Mutant(
        "values.add-reads-the-whole-project",
        _MEMORIES,
        "UNION ALL\nSELECT 1 FROM memories WHERE record_key = :record_key AND project = :project\n",
        "OR record_key = :record_key AND project = :project\n",
        "each add reads all memories of the project",
    ),
    Mutant(
        "times.offset-ignored",
        _TIMES,
        "return result.astimezone(UTC)",
        "return result.replace(tzinfo=UTC)",
        "18:20+02:00 is read as 18:20 UTC",
    ),
    Mutant(
        "times.naive-as-local",
        _TIMES,
        "return result if result.tzinfo is not None else result.replace(tzinfo=UTC)",
        "return result.astimezone(UTC)",
        "a time without an offset is read in the time zone of the machine",
    ),
    Mutant(
        "times.stamp-as-local",
        _OPERATIONS,
        "datetime.fromtimestamp(stamp, UTC)",
        "datetime.fromtimestamp(stamp).replace(tzinfo=UTC)",
        "created_at is off by the server's UTC offset",
    ),
    Mutant(
        "times.through-floats",
        _CLOCK,
        "return (when - _START) // _MICROSECOND",
        "return int(when.timestamp() * 1_000_000)",
        "equal times differ by a microsecond",
    ),
    Mutant(
        "times.whole-seconds",
        _TIMES,
        'return value.isoformat().removesuffix("+00:00") + "Z"',
        'return value.strftime("%Y-%m-%dT%H:%M:%SZ")',
        "filters lose the microseconds of times",
    ),
    Mutant(
        "times.expires-a-day-early",
        _MEMORIES,
        'expires_us IS NULL OR expires_us >= ?)", [*values',
        'expires_us IS NULL OR expires_us > ?)", [*values',
        "a memory expires at the start of its last day",
    ),
    Mutant(
        "times.expired-exported",
        _MEMORIES,
        "selected, values = _selected(project, filters, now, show_expired=False)",
        "selected, values = _selected(project, filters, now, show_expired=True)",
        "exports contain expired memories",
    ),
    Mutant(
        "memories.duplicate-across-owners",
        _ROWS,
        'orjson.dumps([record["memory"], owners], option=orjson.OPT_SORT_KEYS)',
        'orjson.dumps([record["memory"]], option=orjson.OPT_SORT_KEYS)',
        "a text is stored only for the first user who adds it",
    ),
    Mutant(
        "memories.details-not-in-key",
        _ROWS,
        '"record_key": _digest(_ENCODER.encode(members).encode()),',
        '"record_key": _digest(_ENCODER.encode([record["memory"], owners]).encode()),',
        "an import skips a memory whose text another one has",
    ),
    Mutant(
        "texts.fold-as-lower",
        _JSON_SQL,
        "return None if text is None else text.casefold()",
        "return None if text is None else text.lower()",
        "STRASSE does not find Straße",
    ),
    Mutant(
        "texts.answers-as-ascii",
        _JSON_TEXT,
        "        return orjson.dumps(value)\n",
        '        return orjson.dumps(value).decode().encode("ascii", "replace")\n',
        "non-ASCII letters become question marks",
    ),
    Mutant(
        "texts.lone-surrogate-accepted",
        _JSON_TEXT,
        'if "\\\\u" in decoded:',
        'if "\\\\U" in decoded:',
        "a lone surrogate cannot be stored, so the answer is a 500",
    ),
    Mutant(
        "texts.duplicate-names-accepted",
        _JSON_TEXT,
        "if len(members) < len(pairs):",
        "if len(members) > len(pairs):",
        "one of two values of the same name is silently dropped",
    ),
    Mutant(
        "texts.nesting-limit-raised",
        "engine/mem0_exports_engine/limits.py",
        "MAX_DEPTH: Final = 100\n",
        "MAX_DEPTH: Final = 100_000\n",
        "deep nesting causes a 500, or a crash",
    ),
    Mutant(
        "numbers.long-integers-as-floats",
        _JSON_TEXT,
        'long = len(text) >= 20 and _LONG in b":" + text.encode().translate(_MARKS)',
        "long = False",
        "integers beyond 64 bits lose their last digits",
    ),
)
