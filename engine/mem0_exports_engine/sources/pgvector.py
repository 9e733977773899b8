"""Read a table of pgvector in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mem0_exports_engine.extras import require
from mem0_exports_engine.sources.source import Point, unknown_collection, unreadable


if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_FETCHED: Final = 2000
"""The most rows that are fetched at once."""

_TABLES: Final = """
SELECT tables.table_name FROM information_schema.columns AS columns
JOIN information_schema.tables AS tables USING (table_schema, table_name)
WHERE columns.column_name = 'payload' AND columns.data_type = 'jsonb' AND table_schema = ANY (current_schemas(false))
"""


class PgvectorTable:
    """Implement `source.Source` for PostgreSQL. The collection is the name of a table."""

    def __init__(self, url: str, collection: str) -> None:
        self.is_certain = True
        require("postgres", "PostgreSQL as a source")
        from psycopg import ProgrammingError, conninfo  # noqa: PLC0415 -- an extra

        try:
            parts = conninfo.conninfo_to_dict(url)
        except ProgrammingError as error:
            raise unreadable(f"the address of PostgreSQL cannot be read: {error}") from None
        place = f"{parts.get('host', '')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
        self.name = f"pgvector:{place}#{collection}"
        self._url = url
        self._collection = collection

    def points(self) -> Iterator[Point]:
        """See `source.Source.points`."""
        import psycopg  # noqa: PLC0415 -- an extra

        from psycopg import sql  # noqa: PLC0415 -- an extra

        try:
            with psycopg.connect(self._url, connect_timeout=10) as connection:
                # One snapshot for all rows, and a cursor of the server, so that they need not fit in memory.
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.read_only = True
                tables = [name for (name,) in connection.execute(_TABLES)]
                if self._collection not in tables:
                    raise unknown_collection(self._collection, tables, "the database")
                with connection.cursor("points") as cursor:
                    cursor.itersize = _MAX_FETCHED
                    cursor.execute(
                        sql.SQL("SELECT id::text, payload FROM {} ORDER BY id").format(sql.Identifier(self._collection))
                    )
                    for memory_id, payload in cursor:
                        yield Point(memory_id, dict(payload or {}))
        except (psycopg.Error, RecursionError, ValueError) as error:  # a payload can be nested too deep to be parsed
            raise unreadable(f"PostgreSQL cannot be read: {error}") from None
