"""What a store consists of: memories, exports with the parts of their results, and keys. All but keys' ids are by project.

A change here takes a step in `migrations`, and a store of the version before, kept as SQL for its test.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa


VERSION: Final = 2
"""Kept in the file as PRAGMA user_version."""

metadata: Final = sa.MetaData()


def _owner_index(kind: str) -> sa.Index:
    """The memories of one user, agent, app or run in the order of lists; those that have none cost nothing."""
    owner = f"{kind}_id"
    return sa.Index(
        f"memories_{kind}", "project", owner, "created_us", "seq", sqlite_where=sa.text(f"{owner} IS NOT NULL")
    )


memories: Final = sa.Table(
    "memories",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, comment="the order of arrival"),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("memory", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text),
    sa.Column("agent_id", sa.Text),
    sa.Column("app_id", sa.Text),
    sa.Column("run_id", sa.Text),
    sa.Column("metadata", sa.Text, comment="a JSON object"),
    sa.Column("categories", sa.Text, comment="a JSON array of strings"),
    sa.Column("created_at", sa.Text, nullable=False, comment="ISO 8601, as it was given"),
    sa.Column("created_us", sa.BigInteger, nullable=False, comment="the same in microseconds since 1970"),
    sa.Column("updated_at", sa.Text, nullable=False),
    sa.Column("updated_us", sa.BigInteger, nullable=False),
    sa.Column("expiration_date", sa.Text, comment="the last day on which it counts"),
    sa.Column("expires_us", sa.BigInteger, comment="the first microsecond of that day; null where it is no date"),
    sa.Column("text_key", sa.LargeBinary, nullable=False, comment="a digest of the text and whose it is"),
    sa.Column("record_key", sa.LargeBinary, nullable=False, comment="a digest of all that was given"),
    sa.Index("memories_id", "project", "id", unique=True),
    sa.Index("memories_record", "record_key", "project", unique=True),
    sa.Index("memories_text", "text_key", "project"),
    _owner_index("user"),
    _owner_index("agent"),
    _owner_index("app"),
    _owner_index("run"),
)

exports: Final = sa.Table(
    "exports",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, comment="the order of arrival"),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("schema", sa.Text, nullable=False, comment="JSON, as it was sent"),
    sa.Column("filters", sa.Text, nullable=False, comment="JSON, in the rooted form"),
    sa.Column("instructions", sa.Text),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("expires_us", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="PENDING, RUNNING, DONE or FAILED"),
    sa.Column("attempt", sa.Integer, nullable=False, comment="the fence: a worker writes only under its own number"),
    sa.Column(
        "lost",
        sa.Integer,
        key="crashed_attempts",
        nullable=False,
        comment="attempts whose workers vanished without a word",
    ),
    sa.Column("available_us", sa.BigInteger, comment="when a worker may take it; null once it is finished"),
    sa.Column("frame", sa.Text, comment="JSON: the text of the result in pieces; a number stands for a list in parts"),
    sa.Column("report", sa.Text, comment="JSON: what stayed empty, and why"),
    sa.Column("reason", sa.Text, comment="why it failed"),
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
        comment="which list: the number that stands for it in the frame",
    ),
    sa.Column("number", sa.Integer, nullable=False, comment="the order of the parts"),
    sa.Column("content", sa.LargeBinary, nullable=False, comment="JSON values with commas between them"),
    sa.Index("export_parts_place", "export", "list_index", "number", unique=True),
)

keys: Final = sa.Table(
    "keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True, comment="the part of the key that is no secret"),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, comment="what people call it"),
    sa.Column("digest", sa.LargeBinary, nullable=False, comment="SHA-256 of the whole key; the key itself is not kept"),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("revoked_us", sa.BigInteger, comment="null while it is good"),
)
