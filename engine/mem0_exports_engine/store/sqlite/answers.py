"""Store the answers of language models, until they have not been used for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mem0_exports_engine import clock


if TYPE_CHECKING:
    from datetime import datetime

    from mem0_exports_engine.store.sqlite.database import Database

_EXACTNESS: Final = timedelta(hours=1)
"""How exactly is known when an answer was last used, so that reading it rarely has to write."""


MAX_ROWS: Final = 500
"""The most rows that one transaction deletes."""


class SqliteAnswers:
    """Implement `ports.AnswerStore` with SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recall(self, project: str, key: bytes, now: datetime) -> bytes | None:
        """Return the answer under a key, and note that it was used now. None if there is none."""
        with self._database.read() as connection:
            row = connection.row("SELECT content, used_us FROM answers WHERE project = ? AND key = ?", (project, key))
        if row is None:
            return None
        content, used = row
        if used < clock.microseconds(now - _EXACTNESS):
            with self._database.write() as connection:
                connection.execute(
                    "UPDATE answers SET used_us = ? WHERE project = ? AND key = ?",
                    (clock.microseconds(now), project, key),
                )
        return bytes(content)

    def keep(self, project: str, key: bytes, answer: bytes, now: datetime) -> None:
        """Store an answer under a key."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO answers (project, key, content, used_us) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (project, key, answer, clock.microseconds(now)),
            )

    def purge(self, before: datetime) -> int:
        """Delete the answers that were last used before a time, and return how many there were."""
        moment = clock.microseconds(before)
        with self._database.read() as connection:
            if connection.row("SELECT 1 FROM answers WHERE used_us < ? LIMIT 1", (moment,)) is None:
                return 0
        count, deleted = 0, MAX_ROWS
        while deleted == MAX_ROWS:
            with self._database.write() as connection:
                deleted = connection.execute(
                    "DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE used_us < ? LIMIT ?)",
                    (moment, MAX_ROWS),
                ).rowcount
            count += deleted
        return count
