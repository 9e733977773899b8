"""Create the tables of a store, or upgrade them to the current version, in one transaction.

Each step is SQL text that must never change, even if `tables` does, because it upgrades existing files. A test checks
that a store which went through all steps has the same tables as a new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mem0_exports.errors import ConfigurationError
from mem0_exports_engine.failures import NotAStore
from mem0_exports_engine.store.sqlite import tables


if TYPE_CHECKING:
    import sqlite3

    from collections.abc import Callable


_IN_EVERY_VERSION: Final = frozenset({"memories", "memories_text", "exports", "exports_waiting"})
"""Tables and indexes that a store of any version has. They distinguish it from other programs' databases."""


def is_foreign(version: int, names: set[str]) -> bool:
    """Return whether a database belongs to another program, by its user_version and the names in its schema.

    An empty database of version 0 is not foreign, because it can become a store. The version alone does not identify a
    store, because other programs number their databases too.
    """
    return bool(names) if version == 0 else version < 0 or not names >= _IN_EVERY_VERSION


def schema_of(connection: sqlite3.Connection) -> tuple[int, set[str]]:
    """Return the user_version of a database and all names in its schema: tables, indexes, views and triggers."""
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    return version, {name for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall()}


def check_readable(version: int, names: set[str], path: str) -> None:
    """Check that a database is a store of this version or an older one, or empty.

    Raises NotAStore if it belongs to another program, and ConfigurationError if a newer version wrote it.
    """
    if is_foreign(version, names):
        raise NotAStore(f"{path!r} is the database of another program, not a store; it was not changed")
    if version > tables.VERSION:
        raise ConfigurationError(
            f"the store {path!r} was written by a newer mem0-exports: its format has version {version}, and this one "
            f"reads up to version {tables.VERSION}; upgrade mem0-exports"
        )


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Create or upgrade the tables.

    The caller holds a write transaction. If several processes open an old store, one of them therefore upgrades it, and
    the others find it upgraded. Raises NotAStore if the file belongs to another program, and ConfigurationError if a
    newer version wrote it.
    """
    version, names = schema_of(connection)
    check_readable(version, names, path)
    if version == tables.VERSION:
        return
    if version == 0:
        _execute(connection, tables.SCHEMA)
    for step in range(version, tables.VERSION) if version else ():
        _STEPS[step](connection)
    connection.execute(f"PRAGMA user_version = {tables.VERSION}")


_TO_2: Final = """
DROP INDEX memories_user;
DROP INDEX memories_agent;
DROP INDEX memories_app;
DROP INDEX memories_run;
DROP INDEX memories_text;
ALTER TABLE memories RENAME TO memories_1;
CREATE TABLE memories (
    seq INTEGER NOT NULL,
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    memory TEXT NOT NULL,
    user_id TEXT,
    agent_id TEXT,
    app_id TEXT,
    run_id TEXT,
    metadata TEXT,
    categories TEXT,
    created_at TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    updated_at TEXT NOT NULL,
    updated_us BIGINT NOT NULL,
    expiration_date TEXT,
    expires_us BIGINT,
    text_key BLOB NOT NULL,
    record_key BLOB NOT NULL,
    PRIMARY KEY (seq)
);
INSERT INTO memories
SELECT seq, 'local', id, memory, user_id, agent_id, app_id, run_id, metadata, categories, created_at, created_us,
       updated_at, updated_us, expiration_date, expires_us, mem0_digest(text_key), mem0_digest(record_key)
FROM memories_1 ORDER BY seq;
DROP TABLE memories_1;
CREATE UNIQUE INDEX memories_id ON memories (project, id);
CREATE UNIQUE INDEX memories_record ON memories (record_key, project);
CREATE INDEX memories_text ON memories (text_key, project);
CREATE INDEX memories_user ON memories (project, user_id, created_us, seq) WHERE user_id IS NOT NULL;
CREATE INDEX memories_agent ON memories (project, agent_id, created_us, seq) WHERE agent_id IS NOT NULL;
CREATE INDEX memories_app ON memories (project, app_id, created_us, seq) WHERE app_id IS NOT NULL;
CREATE INDEX memories_run ON memories (project, run_id, created_us, seq) WHERE run_id IS NOT NULL;

DROP INDEX exports_waiting;
DROP INDEX exports_filters;
DROP INDEX exports_expiry;
ALTER TABLE exports RENAME TO exports_1;
CREATE TABLE exports (
    seq INTEGER NOT NULL,
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    schema TEXT NOT NULL,
    filters TEXT NOT NULL,
    instructions TEXT,
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    available_us BIGINT,
    frame TEXT,
    report TEXT,
    reason TEXT,
    PRIMARY KEY (seq),
    UNIQUE (id)
);
INSERT INTO exports
SELECT seq, 'local', id, schema, filters, instructions, created_us, expires_us, state, attempt, max(attempt - 1, 0),
       available_us, mem0_frame(result), report, reason
FROM exports_1 ORDER BY seq;
DROP TABLE exports_1;
CREATE INDEX exports_waiting ON exports (available_us) WHERE available_us IS NOT NULL;
CREATE INDEX exports_filters ON exports (project, filters, seq);
CREATE INDEX exports_expiry ON exports (expires_us);

CREATE TABLE export_parts (
    export INTEGER NOT NULL,
    place INTEGER NOT NULL,
    number INTEGER NOT NULL,
    content BLOB NOT NULL
);
CREATE UNIQUE INDEX export_parts_place ON export_parts (export, place, number);

CREATE TABLE keys (
    id TEXT NOT NULL,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    created_us BIGINT NOT NULL,
    revoked_us BIGINT,
    PRIMARY KEY (id)
);
"""
"""Adds projects, API keys, and results in parts."""


_TO_3: Final = """
DROP INDEX memories_id;
DROP INDEX memories_record;
DROP INDEX memories_text;
DROP INDEX memories_user;
DROP INDEX memories_agent;
DROP INDEX memories_app;
DROP INDEX memories_run;
ALTER TABLE memories RENAME TO memories_2;
CREATE TABLE memories (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    memory TEXT NOT NULL,
    user_id TEXT,
    agent_id TEXT,
    app_id TEXT,
    run_id TEXT,
    metadata TEXT,
    categories TEXT,
    created_at TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    updated_at TEXT NOT NULL,
    updated_us BIGINT NOT NULL,
    expiration_date TEXT,
    expires_us BIGINT,
    text_key BLOB NOT NULL,
    record_key BLOB NOT NULL
);
INSERT INTO memories
SELECT seq, project, id, memory, user_id, agent_id, app_id, run_id, metadata, categories, created_at, created_us,
       updated_at, updated_us, expiration_date, expires_us, text_key, record_key
FROM memories_2 ORDER BY seq;
DROP TABLE memories_2;
CREATE UNIQUE INDEX memories_id ON memories (project, id);
CREATE UNIQUE INDEX memories_record ON memories (record_key, project);
CREATE INDEX memories_text ON memories (text_key, project);
CREATE INDEX memories_user ON memories (project, user_id, created_us, seq) WHERE user_id IS NOT NULL;
CREATE INDEX memories_agent ON memories (project, agent_id, created_us, seq) WHERE agent_id IS NOT NULL;
CREATE INDEX memories_app ON memories (project, app_id, created_us, seq) WHERE app_id IS NOT NULL;
CREATE INDEX memories_run ON memories (project, run_id, created_us, seq) WHERE run_id IS NOT NULL;
"""
"""Ensures that the seq of a deleted memory is never used again, so that memories can be deleted."""


_TO_4: Final = """
ALTER TABLE exports ADD COLUMN lane TEXT DEFAULT 'short' NOT NULL;
CREATE TABLE answers (
    project TEXT NOT NULL,
    key BLOB NOT NULL,
    content BLOB NOT NULL,
    used_us BIGINT NOT NULL,
    PRIMARY KEY (project, key)
);
CREATE INDEX answers_use ON answers (used_us);
"""
"""Adds the answers of language models, and a lane of their own for the exports that need them."""


_TO_5: Final = """
DROP INDEX memories_user;
DROP INDEX memories_agent;
DROP INDEX memories_app;
DROP INDEX memories_run;
CREATE INDEX memories_user ON memories (project, user_id, created_us, seq, expires_us, updated_us)
WHERE user_id IS NOT NULL;
CREATE INDEX memories_agent ON memories (project, agent_id, created_us, seq, expires_us, updated_us)
WHERE agent_id IS NOT NULL;
CREATE INDEX memories_app ON memories (project, app_id, created_us, seq, expires_us, updated_us)
WHERE app_id IS NOT NULL;
CREATE INDEX memories_run ON memories (project, run_id, created_us, seq, expires_us, updated_us)
WHERE run_id IS NOT NULL;
CREATE TABLE revisions (
    project TEXT NOT NULL,
    memories INTEGER NOT NULL,
    PRIMARY KEY (project)
);
"""
"""Makes it faster to count memories, to list entities, and to read a list page by page."""


_TO_6: Final = """
ALTER TABLE memories ADD COLUMN source TEXT;
CREATE INDEX memories_source ON memories (project, source, id) WHERE source IS NOT NULL;
"""
"""Adds what a memory was pulled from, so that memories of the store's own are never taken for those of a source."""


def _to_2(connection: sqlite3.Connection) -> None:
    _functions(connection)
    _execute(connection, _TO_2)


def _to_3(connection: sqlite3.Connection) -> None:
    _execute(connection, _TO_3)


def _to_4(connection: sqlite3.Connection) -> None:
    _execute(connection, _TO_4)


def _to_5(connection: sqlite3.Connection) -> None:
    _execute(connection, _TO_5)


def _to_6(connection: sqlite3.Connection) -> None:
    _execute(connection, _TO_6)


def _execute(connection: sqlite3.Connection, script: str) -> None:
    for statement in script.split(";\n"):
        if statement.strip():
            connection.execute(statement)


def _functions(connection: sqlite3.Connection) -> None:
    import json  # noqa: PLC0415 -- only old stores need it

    def frame(result: str | None) -> str | None:
        """Return the frame of a result that is a single text."""
        return None if result is None else json.dumps([result], ensure_ascii=False)

    connection.create_function("mem0_digest", 1, lambda text: bytes.fromhex(text)[:16], deterministic=True)
    connection.create_function("mem0_frame", 1, frame, deterministic=True)


_STEPS: Final[dict[int, Callable[[sqlite3.Connection], None]]] = {1: _to_2, 2: _to_3, 3: _to_4, 4: _to_5, 5: _to_6}
"""For each version, the step that upgrades it to the next one."""
