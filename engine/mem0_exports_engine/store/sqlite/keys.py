"""Store the projects and digests of API keys. `access` creates keys and compares them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from mem0_exports_engine import clock
from mem0_exports_engine.ports import Key
from mem0_exports_engine.store.sqlite.tables import keys


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
            return connection.execute(sa.select(keys.c.id).limit(1)).first() is None

    def add(self, key_id: str, project: str, name: str, digest: bytes, now: datetime) -> Key:
        """Store a key."""
        created = clock.microseconds(now)
        row = {"id": key_id, "project": project, "name": name, "digest": digest, "created_us": created}
        with self._database.write() as connection:
            connection.execute(sa.insert(keys), row)
        return Key(key_id, project, name, clock.text_at(created), None)

    def find(self, key_id: str) -> tuple[str, bytes] | None:
        """Return the project and the digest of an active key, or None."""
        query = sa.select(keys.c.project, keys.c.digest).where(keys.c.id == key_id, keys.c.revoked_us.is_(None))
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else (row.project, row.digest)

    def all(self) -> list[Key]:
        """Return all keys, revoked ones included, oldest first."""
        query = sa.select(keys).order_by(keys.c.created_us, keys.c.id)
        with self._database.read() as connection:
            return [_key(row) for row in connection.execute(query)]

    def revoke(self, key_id: str, now: datetime) -> bool:
        """Revoke a key, effective immediately. Return False if no active key has this id."""
        active = sa.and_(keys.c.id == key_id, keys.c.revoked_us.is_(None))
        with self._database.write() as connection:
            updated = connection.execute(sa.update(keys).where(active).values(revoked_us=clock.microseconds(now)))
        return updated.rowcount > 0


def _key(row: Any) -> Key:
    revoked_at = None if row.revoked_us is None else clock.text_at(row.revoked_us)
    return Key(row.id, row.project, row.name, clock.text_at(row.created_us), revoked_at)
