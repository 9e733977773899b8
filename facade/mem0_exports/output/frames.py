"""Records and export results as data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mem0_exports.errors import ConfigurationError, InputError
from mem0_exports.output.rows import items_of
from mem0_exports.output.table import Table
from mem0_exports.output.values import typed_value


if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import polars as pl

    from mem0_exports.output.kinds import Kind, Kinds

_CONVERTED: Final = {"time", "date", "int"}
"""The kinds of columns that have a type of their own in pandas, so that their values have to fit."""


def to_pandas(rows: Any, *, schema: Any = None) -> pd.DataFrame:
    """Return models, records or dicts as a `pandas.DataFrame`: one row for each, one column for each field.

        frame = to_pandas(client.memories.list(F.user_id == "alex"))

    Args:
        rows: an iterable of models, memories, entities or dicts, or one of them. The columns have the names of the
            schema. Times become timestamps in UTC; lists and objects stay lists and dicts.
        schema: the type or JSON Schema of the rows, for dicts; see `to_arrow`.

    Raises:
        ConfigurationError: pandas is not installed.
        InputError: a value cannot be written as JSON, or does not fit its column.

    """
    try:
        import pandas  # noqa: ICN001, PLC0415 -- not a dependency
    except ImportError:
        raise ConfigurationError("to_pandas needs pandas: pip install pandas") from None
    columns, kinds = _columns(
        rows, schema, lambda value, kind: typed_value(value, kind) if kind.name in _CONVERTED else value
    )
    # Series by series: an empty column keeps its type, and whole numbers with gaps do not become floats.
    types = {"bool": "boolean", "int": "Int64", "float": "Float64", "time": "datetime64[us, UTC]"}
    return pandas.DataFrame(
        {name: pandas.Series(values, dtype=types.get(kinds[name].name)) for name, values in columns.items()}
    )


def to_polars(rows: Any, *, schema: Any = None) -> pl.DataFrame:
    """Return models, records or dicts as a `polars.DataFrame`: one row for each, one column for each field.

    Args:
        rows: an iterable of models, memories, entities or dicts, or one of them. The columns have the names of the
            schema. Times are in UTC; nested models are structs; dicts with free keys are JSON text.
        schema: the type or JSON Schema of the rows, for dicts; see `to_arrow`.

    Raises:
        ConfigurationError: polars is not installed.
        InputError: a value cannot be written as JSON, or does not fit its column.

    """
    try:
        import polars  # noqa: ICN001, PLC0415 -- not a dependency
    except ImportError:
        raise ConfigurationError("to_polars needs polars: pip install polars") from None
    columns, kinds = _columns(rows, schema, typed_value)

    def type_of(kind: Kind) -> Any:
        if kind.item is not None:
            return polars.List(type_of(kind.item))
        if kind.fields:
            return polars.Struct({name: type_of(part) for name, part in kind.fields})
        return {
            "null": polars.Null(),
            "bool": polars.Boolean(),
            "int": polars.Int64(),
            "float": polars.Float64(),
            "time": polars.Datetime("us", "UTC"),
            "date": polars.Date(),
        }.get(kind.name, polars.String())

    return polars.DataFrame(columns, schema={name: type_of(kind) for name, kind in kinds.items()})


def _columns(rows: Any, schema: Any, convert: Callable[[Any, Kind], Any]) -> tuple[dict[str, list[Any]], Kinds]:
    """Return the values of each column, and the kinds of the columns."""
    with Table(items_of(rows), schema) as table:
        columns: dict[str, list[Any]] = {name: [] for name in table.kinds}
        for row in table.rows():
            for name, kind in table.kinds.items():
                try:
                    columns[name].append(convert(row.get(name), kind))
                except (ValueError, TypeError, AttributeError) as error:
                    raise InputError(f"column {name!r}: a value is not of its type: {error}", field=name) from None
        return columns, table.kinds
