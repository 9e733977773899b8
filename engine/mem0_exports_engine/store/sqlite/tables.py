"""The tables of a store: memories, exports, the parts of their results, API keys, and answers of language models.

To change a table, raise VERSION, add a step to `migrations`, and add a store of the old version, as SQL, to the tests.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from mem0_exports.facts import ENTITY_FIELDS, ENTITY_TYPES


VERSION: Final = 4
"""The version of the tables. It is stored in the file as PRAGMA user_version."""

metadata: Final = sa.MetaData()


def _owner_index(kind: str, field: str) -> sa.Index:
    """Return the index that lists the memories of one entity in order. Memories without that entity take no space."""
    return sa.Index(
        f"memories_{kind}", "project", field, "created_us", "seq", sqlite_where=sa.text(f"{field} IS NOT NULL")
    )


memories: Final = sa.Table(
    "memories",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, comment="the order of arrival"),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("memory", sa.Text, nullable=False),
    *(sa.Column(field, sa.Text) for field in ENTITY_FIELDS),
    sa.Column("metadata", sa.Text, comment="a JSON object"),
    sa.Column("categories", sa.Text, comment="a JSON array of strings"),
    sa.Column("created_at", sa.Text, nullable=False, comment="ISO 8601, as the user wrote it"),
    sa.Column("created_us", sa.BigInteger, nullable=False, comment="created_at in microseconds since 1970"),
    sa.Column("updated_at", sa.Text, nullable=False),
    sa.Column("updated_us", sa.BigInteger, nullable=False),
    sa.Column("expiration_date", sa.Text, comment="the last day on which the memory is valid"),
    sa.Column("expires_us", sa.BigInteger, comment="the first microsecond of that day; null if it is not a date"),
    sa.Column("text_key", sa.LargeBinary, nullable=False, comment="a digest of the text and its entity ids"),
    sa.Column("record_key", sa.LargeBinary, nullable=False, comment="a digest of the whole record"),
    sa.Index("memories_id", "project", "id", unique=True),
    sa.Index("memories_record", "record_key", "project", unique=True),
    sa.Index("memories_text", "text_key", "project"),
    *(_owner_index(kind, field) for kind, field in ENTITY_TYPES.items()),
    # Never give the seq of a deleted memory to a new one. A running export has chosen its memories by seq. It would
    # then contain a memory that its filters do not select, possibly one of another project.
    sqlite_autoincrement=True,
)

exports: Final = sa.Table(
    "exports",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, comment="the order of arrival"),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("schema", sa.Text, nullable=False, comment="JSON, as the client sent it"),
    sa.Column("filters", sa.Text, nullable=False, comment="JSON as filters_key returns it, for finding exports"),
    sa.Column("instructions", sa.Text),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("expires_us", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="PENDING, RUNNING, DONE or FAILED"),
    sa.Column(
        "attempt",
        sa.Integer,
        nullable=False,
        comment="the fencing token: only the worker of the newest attempt may write",
    ),
    sa.Column(
        "lost",
        sa.Integer,
        key="crashed_attempts",
        nullable=False,
        comment="attempts that ended because the worker crashed or stalled",
    ),
    sa.Column(
        "available_us",
        sa.BigInteger,
        comment="when a worker can claim the job (the end of its lease); null once finished",
    ),
    sa.Column(
        "frame", sa.Text, comment="JSON: the text of the result in pieces; a number stands for a list stored in parts"
    ),
    sa.Column("report", sa.Text, comment="JSON: what was filled, and what stayed empty and why"),
    sa.Column("reason", sa.Text, comment="why the export failed"),
    sa.Column(
        "lane",
        sa.Text,
        nullable=False,
        server_default="short",
        comment="which workers run the job: short, model or long",
    ),
    sa.Index("exports_waiting", "available_us", sqlite_where=sa.text("available_us IS NOT NULL")),
    sa.Index("exports_filters", "project", "filters", "seq"),
    sa.Index("exports_expiry", "expires_us"),
)

parts: Final = sa.Table(
    "export_parts",
    metadata,
    sa.Column("export", sa.Integer, nullable=False, comment="the seq of the export"),
    sa.Column(
        "place",
        sa.Integer,
        key="list_index",
        nullable=False,
        comment="the number of the list in the frame",
    ),
    sa.Column("number", sa.Integer, nullable=False, comment="the position of the part in its list, from 0"),
    sa.Column("content", sa.LargeBinary, nullable=False, comment="JSON values separated by commas"),
    sa.Index("export_parts_place", "export", "list_index", "number", unique=True),
)

answers: Final = sa.Table(
    "answers",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("key", sa.LargeBinary, primary_key=True, comment="a digest of everything that the answer depends on"),
    sa.Column("content", sa.LargeBinary, nullable=False, comment="JSON"),
    sa.Column("used_us", sa.BigInteger, nullable=False, comment="when it was last used"),
    sa.Index("answers_use", "used_us"),
)

keys: Final = sa.Table(
    "keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True, comment="the part of the key that is not secret"),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, comment="a label for people"),
    sa.Column(
        "digest", sa.LargeBinary, nullable=False, comment="SHA-256 of the whole key; the key itself is not stored"
    ),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("revoked_us", sa.BigInteger, comment="null while the key is active"),
)
