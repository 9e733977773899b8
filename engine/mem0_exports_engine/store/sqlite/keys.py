"""Store the projects and digests of API keys. `access` creates keys and compares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mem0_exports_engine import clock
from mem0_exports_engine.ports import Key


if TYPE_CHECKING:
    from datetime import datetime

    from mem0_exports_engine.store.sqlite.database import Database


class SqliteKeys:
    """Implement `ports.KeyStore` with SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_empty(self) -> bool:
        """Return whether no key was ever added. A store whose keys are all revoked is not empty."""
        with self._database.read() as connection:
            return connection.row("SELECT 1 FROM keys LIMIT 1") is None

    def add(self, key_id: str, project: str, name: str, digest: bytes, now: datetime) -> Key:
        """Store a key."""
        created = clock.microseconds(now)
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO keys (id, project, name, digest, created_us) VALUES (?, ?, ?, ?, ?)",
                (key_id, project, name, digest, created),
            )
        return Key(key_id, project, name, clock.text_at(created), None)

    def find(self, key_id: str) -> tuple[str, bytes] | None:
        """Return the project and the digest of an active key, or None."""
        with self._database.read() as connection:
            row = connection.row("SELECT project, digest FROM keys WHERE id = ? AND revoked_us IS NULL", (key_id,))
        return None if row is None else (row[0], row[1])

    def all(self) -> list[Key]:
        """Return all keys, revoked ones included, oldest first."""
        query = "SELECT id, project, name, created_us, revoked_us FROM keys ORDER BY created_us, id"
        with self._database.read() as connection:
            return [
                Key(key_id, project, name, clock.text_at(created), None if revoked is None else clock.text_at(revoked))
                for key_id, project, name, created, revoked in connection.execute(query)
            ]

    def revoke(self, key_id: str, now: datetime) -> bool:
        """Revoke a key, effective immediately. Return False if no active key has this id."""
        with self._database.write() as connection:
            updated = connection.execute(
                "UPDATE keys SET revoked_us = ? WHERE id = ? AND revoked_us IS NULL", (clock.microseconds(now), key_id)
            )
        return updated.rowcount > 0
