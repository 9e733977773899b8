"""The limits on what a stranger's request can make the engine do. docs/local.md lists them for users.

A request is checked against them when it is accepted, so that everything that comes after (compiling the schema,
extraction, the report) takes work and memory in proportion to the bytes of the request and of the memories.
"""

from __future__ import annotations

from typing import Final


MAX_BYTES: Final = 10 * 1024 * 1024
"""The most bytes of an untrusted document: the body of a request, or a line of an import."""

MAX_BODIES: Final = 64 * 1024 * 1024
"""The most bytes of the large bodies of all requests that a server is reading or answering."""

MAX_SMALL_BODY: Final = 64 * 1024
"""The bytes of each body that do not count towards MAX_BODIES."""

MAX_VALUES: Final = 500_000
"""The most values in an untrusted document. They are counted before it is parsed: `{},` takes 3 bytes, and a hundred
once it is parsed."""

MAX_DEPTH: Final = 100
"""How deep an untrusted document may be nested. Without a limit, deep nesting would exhaust Python's stack."""

MAX_MESSAGES: Final = 10_000
"""The most messages of one add."""

MAX_COPIED: Final = 20_000_000
"""The most bytes of metadata that one add stores: each of its memories has those of the request."""

MAX_CONDITIONS: Final = 400
"""The most conditions in one filter. With somewhat more, SQLite refuses the resulting expression as too deep."""

MAX_LISTED: Final = 100_000
"""The most values in the lists of one filter, taken together."""

MAX_SECONDS: Final = 20.0
"""The most seconds of CPU time for selecting the memories of a list: its conditions times the memories of the entity."""

MAX_SUBSCHEMAS: Final = 20_000
"""The most sub-schemas of a schema. Each takes about 10 KB while an export runs."""

MAX_MERGED: Final = 100_000
"""The most properties of all sub-schemas with those of the schemas that they refer to written out."""

MAX_NAMES: Final = 20_000_000
"""The most characters of the JSON pointers of all sub-schemas, taken together."""

MAX_PATTERN: Final = 1_000_000
"""The most bytes that one pattern of a schema may take once it is compiled."""

MAX_PATTERNS: Final = 64_000_000
"""The most bytes that the patterns of a schema may take, compiled and with the caches that matching fills."""

MAX_CHECKS: Final = 5_000
"""The most sub-schemas against which a single value is checked."""

MAX_NESTED_CHECKS: Final = 10_000
"""The most sub-schemas against which a value inside other values is checked, since each way to read the outer ones can
check the inner one again. It decides how deep a value can be nested and still be exported."""

MAX_NESTING: Final = 64
"""How deep a value can be nested and still be exported, with any schema."""

MAX_STEPS: Final = 100_000_000
"""The most steps of work on one memory, and of checking the whole result: for a value that only has to be checked, its
values times the sub-schemas for each. They take about a second."""

MAX_HELD: Final = 50_000_000
"""About how many bytes the values of one export may take in memory. Writing them takes several times as much. Long lists
of records are written out meanwhile."""

MAX_PAGE: Final = 32_000_000
"""The most characters of the memories on one page of a list."""

MAX_DOCUMENT: Final = 1024**3
"""The most bytes of a JSON document that is imported. JSON Lines have no limit."""
