"""Store the answers of language models, until they have not been used for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from sqlalchemy.dialects.sqlite import insert

from mem0_exports_engine import clock
from mem0_exports_engine.store.sqlite.tables import answers


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
        this = sa.and_(answers.c.project == project, answers.c.key == key)
        with self._database.read() as connection:
            row = connection.execute(sa.select(answers.c.content, answers.c.used_us).where(this)).first()
        if row is None:
            return None
        if row.used_us < clock.microseconds(now - _EXACTNESS):
            with self._database.write() as connection:
                connection.execute(sa.update(answers).where(this).values(used_us=clock.microseconds(now)))
        return bytes(row.content)

    def keep(self, project: str, key: bytes, answer: bytes, now: datetime) -> None:
        """Store an answer under a key."""
        row = {"project": project, "key": key, "content": answer, "used_us": clock.microseconds(now)}
        with self._database.write() as connection:
            connection.execute(insert(answers).values(row).on_conflict_do_nothing())

    def purge(self, before: datetime) -> int:
        """Delete the answers that were last used before a time, and return how many there were."""
        old = answers.c.used_us < clock.microseconds(before)
        with self._database.read() as connection:
            if connection.execute(sa.select(answers.c.key).where(old).limit(1)).first() is None:
                return 0
        rowid = sa.literal_column("rowid", sa.Integer)
        chosen = sa.select(rowid).select_from(answers).where(old).limit(MAX_ROWS).correlate(None)
        count, deleted = 0, MAX_ROWS
        while deleted == MAX_ROWS:
            with self._database.write() as connection:
                deleted = connection.execute(sa.delete(answers).where(rowid.in_(chosen))).rowcount
            count += deleted
        return count
