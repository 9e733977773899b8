"""Rows: dicts of JSON values, made from models, records, dicts and other values."""

from __future__ import annotations

import dataclasses
import json

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mem0_exports.errors import InputError


if TYPE_CHECKING:
    from pydantic import BaseModel

Row: TypeAlias = dict[str, Any]
"""The names of columns, and JSON values."""

VALUE: Final = "value"
"""The only column of rows that are no objects, such as the items of a `list[str]`."""


def json_value(value: Any) -> Any:
    """Return a value as JSON has it: models become dicts with the names of their schema, times become ISO 8601 text.

    Raises InputError for a value that JSON cannot hold, such as an open file.
    """
    from pydantic_core import PydanticSerializationError, to_jsonable_python  # noqa: PLC0415 -- slow to import

    try:
        return to_jsonable_python(value, by_alias=True)
    except (PydanticSerializationError, ValueError) as error:  # ValueError: nested in itself
        raise InputError(f"a value cannot be written as JSON: {error}", field="rows") from None


def row_of(value: Any) -> Row:
    """Return a model, a record or a dict as a row. Any other value becomes the only column, `value`."""
    found = json_value(value)
    return found if isinstance(found, dict) else {VALUE: found}


def items_of(result: Any) -> Iterable[Any]:
    """Return what the rows of a result are made from: the items of a list or iterator, or the one object itself."""
    if isinstance(result, Mapping | str | bytes) or dataclasses.is_dataclass(result) or _is_model(result):
        return [result]
    return result if isinstance(result, Iterable) else [result]


def json_text(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """Return a JSON value as JSON text. Raises InputError for NaN and infinity, which JSON does not have."""
    try:
        return json.dumps(value, ensure_ascii=ascii_only, indent=indent, allow_nan=False)
    except ValueError:
        raise InputError(
            "a value is NaN or infinite, which JSON cannot hold; replace it by None", field="rows"
        ) from None


def _is_model(value: Any) -> bool:
    import pydantic  # noqa: PLC0415 -- slow to import

    model: type[BaseModel] = pydantic.BaseModel
    return isinstance(value, model)
