"""Check JSON Schemas, and values against them, without ever opening a file or URL that a schema refers to."""

from __future__ import annotations

from typing import Any, Final

import jsonschema_rs

from mem0_exports.schemas.annotations import check_sources
from mem0_exports.schemas.formats import FORMATS


CACHE_OF_A_PATTERN: Final = 100_000
"""The bytes that a linear validator may use to match one pattern."""


class Unusable(ValueError):
    """The schema cannot describe an export. The message says where and why."""


def validator(
    schema: Any, *, linear: bool = False, mask: str | None = None, registry: jsonschema_rs.Registry | None = None
) -> jsonschema_rs.Validator:
    """Return the validator of a schema.

    `linear`, for servers, refuses patterns that could take exponential time. `mask` stands for the value in messages.
    `registry` has other documents that the schema may refer to.
    """
    options = jsonschema_rs.RegexOptions(dfa_size_limit=CACHE_OF_A_PATTERN) if linear else None
    return jsonschema_rs.validator_for(
        schema,
        offline=True,
        validate_formats=True,
        formats=FORMATS,
        pattern_options=options,
        mask=mask,
        registry=registry,
    )


def check(schema: Any, *, linear: bool = False) -> None:
    """Raise Unusable if `schema` is not valid under its JSON Schema draft, refers outside itself, or excludes objects.

    `linear`, for servers, also refuses patterns that could take exponential time.
    """
    try:
        validator(schema, linear=linear)
        check_sources(schema)
    except jsonschema_rs.ValidationError as error:
        pointer = "".join(f"/{part}" for part in error.instance_path)
        raise Unusable(f"{pointer or 'the root'}: {error.message[:200]}") from None
    except (ValueError, RecursionError, jsonschema_rs.ReferencingError) as error:
        raise Unusable(str(error)[:300]) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # the validator's native code crashed; not a subclass of Exception
            raise
        raise Unusable("the JSON Schema validator crashes on this schema; simplify it") from None
    kinds = schema.get("type", "object") if isinstance(schema, dict) else None
    if "object" not in (kinds if isinstance(kinds, list) else [kinds]):
        raise Unusable(f"the root must have the type 'object', because an export is an object, got {kinds!r}")
