"""`ExportSpec` is an export that is checked and ready to send; `ExportRef` is the job that it became."""

from __future__ import annotations

import hashlib
import json

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from mem0_exports.errors import InputError
from mem0_exports.schemas.schema import Schema


if TYPE_CHECKING:
    from collections.abc import Mapping

    from mem0_exports.call_site import CallSite
    from mem0_exports.filters.check import Where
    from mem0_exports.filters.rules import FilterRules

T = TypeVar("T")


class Origin(NamedTuple):
    """The service and the account that a client works with. A ledger keeps exports of different origins apart."""

    service: str
    """The base URL of the service, or the name of the embedded engine's store."""
    account: str
    """Part of a hash of the API key. It tells accounts apart without revealing the key."""


class ExportSpec(NamedTuple, Generic[T]):
    """What to export. The arguments have been checked, so they can be sent."""

    schema: Schema[T]
    filters: Mapping[str, Any]
    instructions: str | None = None
    org_id: str | None = None
    project_id: str | None = None

    @staticmethod
    def of(
        schema: Any,
        where: Where,
        filter_rules: FilterRules | None,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        caller: CallSite | None = None,
    ) -> ExportSpec[Any]:
        """Check the arguments of `exports.create` and return them ready to send.

        `caller` is the line that a FilterWarning points at, if that line is not on the stack; see `check_where`.

        Raises SchemaError, FilterError or InputError for an argument that cannot be sent.
        """
        from mem0_exports.filters.check import check_where  # noqa: PLC0415 -- calls that only fetch need no filters

        for field, text in (("instructions", instructions), ("org_id", org_id), ("project_id", project_id)):
            if text is not None and not isinstance(text, str):
                raise InputError(f"{field} must be a string or None, got {type(text).__name__}", field=field)
        filters = check_where(where, filter_rules, caller=caller).to_dict()
        return ExportSpec(Schema.of(schema), filters, instructions, org_id, project_id)

    def fingerprint(self, service: str) -> str:
        """Return 64 hexadecimal digits that identify this export at this service, the same in every process.

        It covers everything that changes the result. If a part were missing, a ledger could return the result of
        another export. An argument that is None is no part of it, so that an optional argument that is added later does
        not change the fingerprints in existing ledgers, whose exports would then be created again.
        """
        parts = {name: value for name, value in self._asdict().items() if value is not None}
        parts |= {"service": service, "schema": self.schema.json}
        text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def created(self, export_id: str) -> ExportRef[T]:
        """Return the reference to the job that was created from this."""
        return ExportRef(export_id, self.schema, self.org_id, self.project_id)


class ExportRef(NamedTuple, Generic[T]):
    """An export job: its id, the schema of its result, and the organization and project that it is filed under."""

    id: str
    schema: Schema[T]
    org_id: str | None = None
    project_id: str | None = None

    @staticmethod
    def of(export_id: object, schema: Any, org_id: str | None, project_id: str | None) -> ExportRef[Any]:
        """Check the arguments of `exports.get` and return the reference; raise InputError for a bad id."""
        text = str(export_id).strip() if isinstance(export_id, str | UUID) else ""
        if not text:
            raise InputError(f"export_id must be a non-empty string or a UUID, got {export_id!r}", field="export_id")
        return ExportRef(text, Schema.of(schema), org_id, project_id)
