"""Check what a result contains: warn or raise if the export found nothing, or if records were left out of it."""

from __future__ import annotations

import contextlib

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar

from mem0_exports.errors import ExportIncomplete, ExportWarning, Mem0ExportsError
from mem0_exports.exports.stored import engine_id
from mem0_exports.http import export_operations
from mem0_exports.http.flow import send
from mem0_exports.strict_json import decode


if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from mem0_exports.exports.spec import ExportRef
    from mem0_exports.http.flow import Flow
    from mem0_exports.http.settings import Settings
    from mem0_exports.models import ExportGap, ExportReport

T = TypeVar("T")

OnReport: TypeAlias = "Callable[[ExportReport | None], object]"
"""Called with the report on a finished export, or with None if the service gave no report."""


class Review(NamedTuple):
    """What to do with a result once it is here."""

    warn: Callable[[ExportWarning], object]
    """Called if the export found nothing or records were left out of it."""
    strict: bool = False
    """Whether to raise ExportIncomplete instead."""
    on_report: OnReport | None = None


class Received(NamedTuple, Generic[T]):
    """A result: its value, its JSON text, and what the service says about it."""

    value: T
    text: bytes
    left_out: int | None = None
    """How many records were left out, and memories not read; None if the service does not say, as it has no reports."""


def fetch_report(export_id: str | UUID, settings: Settings, deadline: float | None) -> Flow[ExportReport]:
    """Fetch the report on an export. Raises InputError if the id is not a UUID."""
    call = export_operations.exports_report(engine_id(export_id))
    return (yield from send(call.request, call.read, settings, deadline=deadline))


def review(
    ref: ExportRef[T], received: Received[T], settings: Settings, deadline: float | None, checks: Review
) -> Flow[T]:
    """Return the value of a result after the checks. Raises ExportIncomplete if they are strict and one fails."""
    is_empty = ref.schema.found_nothing(received.text)
    is_complete = not is_empty and not received.left_out
    if is_complete and checks.on_report is None:
        return received.value
    # Only a service that says how many records it left out has reports. Mem0's Platform would answer 404.
    report: ExportReport | None = None
    if received.left_out is not None:
        with contextlib.suppress(Mem0ExportsError):  # the result is here, and must not be lost for its report
            report = yield from fetch_report(ref.id, settings, deadline)
    if checks.on_report is not None:
        checks.on_report(report)
    if is_complete:
        return received.value
    message = _empty(ref.id, report) if is_empty else _left_out(ref.id, received.left_out or 0, report)
    if checks.strict:
        raise ExportIncomplete(message, export_id=ref.id, data=decode(received.text), report=report)
    checks.warn(ExportWarning(message, export_id=ref.id, report=report))
    return received.value


def _empty(export_id: str, report: ExportReport | None) -> str:
    if report is None:
        return (
            f"export {export_id} found nothing: every field has its default value. The filter may select no memories "
            "(client.entities.list() lists the ids that have some), or they may not contain these values"
        )
    if report.memories == 0:
        return (
            f"export {export_id} found nothing: the filter selects no memories. Check its ids: client.entities.list() "
            "lists those that have memories"
        )
    read = "1 memory was" if report.memories == 1 else f"{report.memories} memories were"
    return f"export {export_id} found nothing: {read} read, and no field was filled{_main_reason(export_id, report)}"


def _left_out(export_id: str, count: int, report: ExportReport | None) -> str:
    unread = 0 if report is None else min(report.unread, count)
    records = count - unread
    parts = [
        *([f"{_counted(unread, 'memory', 'memories')} not read for export {export_id}"] if unread else []),
        *([f"{_counted(records, 'record', 'records')} left out of export {export_id}"] if records else []),
    ]
    return f"{' and '.join(parts)}{_main_reason(export_id, report)}"


def _counted(count: int, one: str, many: str) -> str:
    return f"1 {one} was" if count == 1 else f"{count} {many} were"


def _main_reason(export_id: str, report: ExportReport | None) -> str:
    if report is None or not report.gaps:
        return ""
    gap = max(report.gaps, key=_weight)
    hint = "" if gap.did_you_mean is None else f" (did you mean {gap.did_you_mean!r}?)"
    more = f". All reasons: client.exports.report({export_id!r})" if len(report.gaps) > 1 else ""
    return f". {gap.path}: {gap.reason}{hint}{more}"


def _weight(gap: ExportGap) -> tuple[bool, int]:
    """Return how much a gap explains: records that were left out and memories that were not read first, then how often it happened."""
    return gap.path.endswith("[]") or gap.path == "(texts)", gap.count
