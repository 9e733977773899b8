"""Rows as Arrow tables and Parquet files. Needs the extra `arrow`."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from mem0_exports.errors import ConfigurationError, InputError
from mem0_exports.output.rows import items_of
from mem0_exports.output.table import Table
from mem0_exports.output.values import typed_value


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

    from mem0_exports.output.kinds import Kind, Kinds
    from mem0_exports.output.rows import Row

_BATCH: Final = 10_000
"""The number of rows that are converted at once. Memory does not grow with the number of all rows."""


def write_parquet(items: Iterable[Any], path: str, schema: Any = None) -> None:
    """Write a Parquet file. Reads `items` as it writes, or keeps them on disk if their columns are not known."""
    require()
    import pyarrow.parquet as pq  # noqa: PLC0415 -- an extra

    with Table(items, schema) as table:
        if not table.kinds:
            raise InputError("there are no columns to write: no row has any value", field="rows")
        with pq.ParquetWriter(path, _schema(table.kinds), compression="zstd") as writer:
            for batch in _batches(table):
                writer.write_batch(batch)


def to_arrow(rows: Any, *, schema: Any = None) -> pa.Table:
    """Return models, records or dicts as a `pyarrow.Table`: one row for each, one column for each field.

        table = to_arrow(client.memories.list(F.user_id == "alex"))

    Args:
        rows: an iterable of models, memories, entities or dicts, or one of them. The columns have the names of the
            schema. Times are in UTC; nested models are structs; dicts with free keys are JSON text.
        schema: the type or JSON Schema of the rows, for dicts. By default it is the class of the rows; the types of
            dicts are found in their values, where texts stay texts.

    Raises:
        ConfigurationError: pyarrow is not installed.
        InputError: a value cannot be written as JSON, or does not fit its column.

    """
    arrow = require()
    with Table(items_of(rows), schema) as table:
        return arrow.Table.from_batches([*_batches(table)], _schema(table.kinds))


def _batches(table: Table) -> Iterator[Any]:
    pa = require()
    arrow, rows = _schema(table.kinds), table.rows()
    while batch := [*islice(rows, _BATCH)]:
        columns = [_column(name, kind, arrow.field(name).type, batch) for name, kind in table.kinds.items()]
        yield pa.RecordBatch.from_arrays(columns, schema=arrow)


def _column(name: str, kind: Kind, arrow_type: Any, rows: list[Row]) -> Any:
    pa = require()
    try:
        return pa.array([typed_value(row.get(name), kind) for row in rows], arrow_type)
    except (pa.ArrowException, OverflowError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"column {name!r}: a value is not of the type {arrow_type}: {error}; write CSV or JSON Lines instead, or "
            "declare the field as it is in the schema",
            field=name,
        ) from None


def _schema(kinds: Kinds) -> Any:
    pa = require()
    return pa.schema([(name, _type(kind)) for name, kind in kinds.items()])


def _type(kind: Kind) -> Any:
    pa = require()
    if kind.item is not None:
        return pa.list_(_type(kind.item))
    if kind.fields:
        return pa.struct([(name, _type(part)) for name, part in kind.fields])
    return {
        "null": pa.null(),
        "bool": pa.bool_(),
        "int": pa.int64(),
        "float": pa.float64(),
        "time": pa.timestamp("us", tz="UTC"),
        "date": pa.date32(),
    }.get(kind.name, pa.string())


def require() -> Any:
    """Return the module pyarrow. Raises ConfigurationError if it is not installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415 -- an extra
    except ImportError:
        raise ConfigurationError(
            "Parquet files and Arrow tables need pyarrow; install mem0-exports with the extra 'arrow', or pyarrow itself"
        ) from None
    return pa
