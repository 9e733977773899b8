"""The tables of a store: memories, their revisions, exports, the parts of their results, API keys, and answers of language models.

To change a table, raise VERSION, add a step to `migrations`, and add a store of the old version, as SQL, to the tests.
"""

from __future__ import annotations

import re

from typing import Final

from mem0_exports_engine.store.rows import MEMORY_COLUMNS


VERSION: Final = 6
"""The version of the tables. It is stored in the file as PRAGMA user_version."""

TABLES: Final = ("memories", "revisions", "exports", "export_parts", "keys", "answers")

SCHEMA: Final = re.sub(
    r" *--.*",
    "",  # SQLite would keep the comments in each file
    """
CREATE TABLE memories (
    -- The order of arrival. AUTOINCREMENT never gives the seq of a deleted memory to a new one. A running export has
    -- chosen its memories by seq. It would then contain a memory that its filters do not select, possibly one of
    -- another project.
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    memory TEXT NOT NULL,
    user_id TEXT,
    agent_id TEXT,
    app_id TEXT,
    run_id TEXT,
    metadata TEXT,                -- a JSON object
    categories TEXT,              -- a JSON array of strings
    created_at TEXT NOT NULL,     -- ISO 8601, as the user wrote it
    created_us BIGINT NOT NULL,   -- created_at in microseconds since 1970
    updated_at TEXT NOT NULL,
    updated_us BIGINT NOT NULL,
    expiration_date TEXT,         -- the last day on which the memory is valid
    expires_us BIGINT,            -- the first microsecond of that day; null if it is not a date
    text_key BLOB NOT NULL,       -- a digest of the text and its entity ids
    record_key BLOB NOT NULL,     -- a digest of the whole record
    source TEXT                   -- what the memory was pulled from, which decides about it; null for the store's own
);
CREATE UNIQUE INDEX memories_id ON memories (project, id);
CREATE UNIQUE INDEX memories_record ON memories (record_key, project);
CREATE INDEX memories_text ON memories (text_key, project);
-- Each lists the memories of one entity in order. Memories without that entity take no space. The last two columns are
-- there to count memories and to list entities without reading the memories.
CREATE INDEX memories_user ON memories (project, user_id, created_us, seq, expires_us, updated_us)
WHERE user_id IS NOT NULL;
CREATE INDEX memories_agent ON memories (project, agent_id, created_us, seq, expires_us, updated_us)
WHERE agent_id IS NOT NULL;
CREATE INDEX memories_app ON memories (project, app_id, created_us, seq, expires_us, updated_us)
WHERE app_id IS NOT NULL;
CREATE INDEX memories_run ON memories (project, run_id, created_us, seq, expires_us, updated_us)
WHERE run_id IS NOT NULL;

CREATE INDEX memories_source ON memories (project, source, id) WHERE source IS NOT NULL;

CREATE TABLE revisions (
    project TEXT NOT NULL,
    memories INTEGER NOT NULL,    -- raised by each transaction that changes memories of the project; see `listings`
    PRIMARY KEY (project)
);

CREATE TABLE exports (
    seq INTEGER NOT NULL,         -- the order of arrival
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    schema TEXT NOT NULL,         -- JSON, as the client sent it
    filters TEXT NOT NULL,        -- JSON as filters_key returns it, for finding exports
    instructions TEXT,
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    state TEXT NOT NULL,          -- PENDING, RUNNING, DONE or FAILED
    attempt INTEGER NOT NULL,     -- the fencing token: only the worker of the newest attempt may write
    lost INTEGER NOT NULL,        -- attempts that ended because the worker crashed or stalled
    available_us BIGINT,          -- when a worker can claim the job (the end of its lease); null once finished
    frame TEXT,                   -- JSON: the text of the result in pieces; a number is a list stored in parts
    report TEXT,                  -- JSON: what was filled, and what stayed empty and why
    reason TEXT,                  -- why the export failed
    lane TEXT DEFAULT 'short' NOT NULL,  -- which workers run the job: short, model or long
    PRIMARY KEY (seq),
    UNIQUE (id)
);
CREATE INDEX exports_waiting ON exports (available_us) WHERE available_us IS NOT NULL;
CREATE INDEX exports_filters ON exports (project, filters, seq);
CREATE INDEX exports_expiry ON exports (expires_us);

CREATE TABLE export_parts (
    export INTEGER NOT NULL,      -- the seq of the export
    place INTEGER NOT NULL,       -- the number of the list in the frame
    number INTEGER NOT NULL,      -- the position of the part in its list, from 0
    content BLOB NOT NULL         -- JSON values separated by commas
);
CREATE UNIQUE INDEX export_parts_place ON export_parts (export, place, number);

CREATE TABLE keys (
    id TEXT NOT NULL,             -- the part of the key that is not secret
    project TEXT NOT NULL,
    name TEXT NOT NULL,           -- a label for people
    digest BLOB NOT NULL,         -- SHA-256 of the whole key; the key itself is not stored
    created_us BIGINT NOT NULL,
    revoked_us BIGINT,            -- null while the key is active
    PRIMARY KEY (id)
);

CREATE TABLE answers (
    project TEXT NOT NULL,
    key BLOB NOT NULL,            -- a digest of everything that the answer depends on
    content BLOB NOT NULL,        -- JSON
    used_us BIGINT NOT NULL,      -- when it was last used
    PRIMARY KEY (project, key)
);
CREATE INDEX answers_use ON answers (used_us);
""",
)
"""Creates the tables of a new store."""

UPDATE_MEMORY: Final = (
    f"UPDATE memories SET {', '.join(f'{name} = :{name}' for name in MEMORY_COLUMNS)} "
    "WHERE project = :project AND id = :id"
)

INSERT_MEMORY: Final = f"INSERT INTO memories ({', '.join(MEMORY_COLUMNS)}) VALUES (:{', :'.join(MEMORY_COLUMNS)})"
