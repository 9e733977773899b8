"""The exports that the embedded engine keeps: their ids and their list."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from mem0_exports.errors import InputError
from mem0_exports.http import export_operations
from mem0_exports.http.resources import Pages, check_page_size


if TYPE_CHECKING:
    from mem0_exports.models import ExportInfo


def engine_id(export_id: str | UUID) -> UUID:
    """Return the id of an export of the embedded engine. Raises InputError if it is not a UUID."""
    try:
        return UUID(str(export_id))
    except ValueError:
        problem = f"export_id must be the id of an export of the embedded engine, which is a UUID, got {export_id!r}"
    raise InputError(problem, field="export_id")


def pages_of_exports(page_size: int) -> Pages[ExportInfo]:
    """Return the pages of the list of exports. Raises InputError if the service has no pages of this size."""
    check_page_size(page_size)
    return Pages(lambda page: export_operations.exports_list(page=page, page_size=page_size), lambda found: found.id)
