"""Say why a value does not match a schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs


if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_REASONS: Final = 3
"""The most reasons that are given for a value that fits no alternative of a union."""


class Mismatch(ValueError):
    """A value cannot be converted to match the schema. The message, such as "it is not of type integer", says why."""

    def __init__(self, reason: str, path: Sequence[str | int] = (), cause: str | None = None) -> None:
        """Create the error for a value, or for a part of it at `path`. `reason` calls that part "it"."""
        where = "/".join(map(str, path))
        super().__init__(
            reason if not where else f"{where} {reason[3:]}" if reason.startswith("it ") else f"{where}: {reason}"
        )
        self.reason = reason
        self.path = path
        self.cause = cause or reason
        """The place in the schema that the value does not match. Unlike the message, it does not depend on the value."""

    def of_union(self, misfits: list[Mismatch], value: Any) -> Mismatch:
        """Return the error with the reasons of the alternatives, if it is that a value fits no alternative of a union.

        `misfits` has the reason of each alternative.
        """
        if self.last_keyword not in {"anyOf", "oneOf"}:
            return self
        nearest = _nearest(misfits) if isinstance(value, dict | list) else misfits  # a scalar can become any other
        reasons = [*dict.fromkeys(map(str, nearest))][:_MAX_REASONS]
        return Mismatch(f"it fits no alternative: {'; or '.join(reasons)}", (), self.cause)

    @property
    def last_keyword(self) -> str:
        """The keyword that the value does not match."""
        return self.cause.rpartition("/")[2]

    def inside(self, step: str | int, keyword: str) -> Mismatch:
        """Return the error for the value that has this one at `step`, described by `keyword` of its schema."""
        return Mismatch(self.reason, (step, *self.path), f"{keyword}/{self.cause}")


def _nearest(misfits: list[Mismatch]) -> list[Mismatch]:
    """Return why a value fits none of the alternatives of a union that it resembles most."""
    highest = max(map(_resemblance, misfits))
    return [misfit for misfit in misfits if _resemblance(misfit) == highest]


def _resemblance(misfit: Mismatch) -> tuple[bool, bool, int]:
    """Rank an alternative by where the value does not match it: not in its type, not in a tag, deep inside."""
    is_of_type = bool(misfit.path) or misfit.last_keyword != "type"
    has_tag = not misfit.path or misfit.last_keyword not in {"const", "enum"}
    return is_of_type, has_tag, len(misfit.path)


def first_mismatch(checker: jsonschema_rs.Validator, key: str, value: Any) -> Mismatch | None:
    """Return the first validation error of `value`, or None if it is valid."""
    try:
        checker.validate({key: value})  # unlike `iter_errors`, it stops at the first error
    except jsonschema_rs.ValidationError as error:
        return Mismatch(error.message[:200], error.instance_path[1:], "/".join(map(str, error.schema_path)))
    return None
