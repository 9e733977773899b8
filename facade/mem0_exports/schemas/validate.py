"""Checks JSON Schemas, and values against them, without ever opening a file or an address that a schema names."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from mem0_exports.schemas.annotations import check_sources
from mem0_exports.schemas.cost import max_value_depth


class Unusable(ValueError):
    """A schema that no export can be made with; the text says where and why."""


def validator(schema: Any, *, linear: bool = False) -> jsonschema_rs.Validator:
    """The validator of a schema. `linear` refuses patterns that could take exponential time, as a server has to."""
    options = jsonschema_rs.RegexOptions() if linear else None
    return jsonschema_rs.validator_for(schema, offline=True, validate_formats=True, pattern_options=options)


def validator_map(schema: Any) -> jsonschema_rs.ValidatorMap:
    """The validators of a schema and of all its parts by their pointers, linear."""
    return jsonschema_rs.validator_map_for(
        schema, offline=True, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions()
    )


def check(schema: Any, *, linear: bool = False) -> None:
    """Unusable where `schema` is no valid JSON Schema of its draft, refers outside itself, or excludes objects.

    `linear` also refuses what could take exponential time, as a server has to.
    """
    try:
        if linear:  # only a server has to mind what strangers' schemas cost
            max_value_depth(schema)
        validator(schema, linear=linear)
        check_sources(schema)
    except jsonschema_rs.ValidationError as error:
        pointer = "".join(f"/{part}" for part in error.instance_path)
        raise Unusable(f"{pointer or 'the root'}: {error.message[:200]}") from None
    except (ValueError, RecursionError, jsonschema_rs.ReferencingError) as error:
        raise Unusable(str(error)[:300]) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of native code, and no Exception
            raise
        raise Unusable("the validator cannot handle this schema") from None
    kinds = schema.get("type", "object") if isinstance(schema, dict) else None
    if "object" not in (kinds if isinstance(kinds, list) else [kinds]):
        raise Unusable(f"the root is of type {kinds!r}, but an export is an object")
