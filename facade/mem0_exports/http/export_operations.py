"""Build the requests of the operations on exports, and read their responses; see `operations`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar, cast

from mem0_exports.errors import ContractViolation, ExportFailed
from mem0_exports.facts import LEFT_OUT, NOTICE
from mem0_exports.http.calls import SHAPE_ERRORS, Call, call, request, violation
from mem0_exports.http.fields import (
    Verbatim,
    as_count,
    as_text,
    id_as_written,
    id_text,
    known,
    known_count,
    known_text,
    page_of,
    sent,
)
from mem0_exports.http.responses import readable, refusal
from mem0_exports.strict_json import decode


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from mem0_exports.http.flow import Response
    from mem0_exports.models import ExportEvidence, ExportGap, ExportInfo, ExportReport, ExportUsage, Page
    from mem0_exports_api import models

T = TypeVar("T")

MAX_DIGITS: Final = 18
"""The most digits of a count in a header; anything longer is not a count."""


class Ready(NamedTuple, Generic[T]):
    """The result of a finished export. It wraps the value, which can be None if its type allows that."""

    value: T


def exports_create(
    schema: Mapping[str, Any],
    filters: Mapping[str, Any],
    *,
    instructions: str | None = None,
    org_id: str | None = None,
    project_id: str | None = None,
) -> Call[str]:
    """Return the call that starts an export job. Its response is read as the job's id."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.exports.exports_create import _get_kwargs as exports_create_request  # noqa: PLC0415 -- see prepare()

    body = models.MemoryExportRequest(
        schema=models.JsonSchema.from_dict(schema),
        filters=cast("models.Filters", Verbatim(filters)),
        export_instructions=sent(instructions),
        org_id=sent(org_id),
        project_id=sent(project_id),
    )

    def parse(answer: Mapping[str, Any]) -> tuple[models.MemoryExportAccepted, object]:
        return models.MemoryExportAccepted.from_dict(answer), answer["id"]

    def convert(accepted: tuple[models.MemoryExportAccepted, object]) -> str:
        parsed, written = accepted
        return id_as_written(parsed.id, written)

    return call("exports_create", exports_create_request(body=body), parse, convert, writes=True)


def exports_get(
    export_id: str, load: Callable[[bytes, int | None], T], *, org_id: str | None = None, project_id: str | None = None
) -> Call[Ready[T] | None]:
    """Return the call that fetches an export.

    Its response is read as the value that `load` returns for the JSON text and the number of records that the service
    left out of it (None if it does not say, as it has no reports), or None if the export is not ready (404).
    """
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.exports.exports_get import _get_kwargs as exports_get_request  # noqa: PLC0415 -- see prepare()

    def read(response: Response) -> Ready[T] | None:
        if response.status == 404 and (pending := _pending(response)) is not None:
            reason = known_text(pending.reason)
            if reason is not None:
                raise ExportFailed(export_id, readable(response.redacted(reason)))
            return None
        if not 200 <= response.status < 300:
            raise refusal("exports_get", response)
        try:
            return Ready(load(response.body, _left_out(response)))
        except ContractViolation as error:
            problem, garbled = error.problem, error.garbled
        # Raised again with the status and request id of the response, which `load` does not know.
        raise violation("exports_get", response, problem, garbled=garbled)

    def _pending(response: Response) -> models.MemoryExportNotFound | None:
        """Return the documented 404 of an export that is not ready; None for any other 404, such as a proxy's page.

        Any other 404 is an error. If it counted as "not ready", a wrong address would be polled until the deadline.
        """
        try:
            body = decode(response.body)
            not_found = models.MemoryExportNotFound.from_dict(body)
        except SHAPE_ERRORS:
            return None
        are_strings = isinstance(body["error"], str) and isinstance(body.get("reason"), str | None)
        return not_found if are_strings and body.keys() <= {"error", "reason", NOTICE} else None

    body = models.GetMemoryExportRequest(memory_export_id=export_id, org_id=sent(org_id), project_id=sent(project_id))
    return Call(request("exports_get", exports_get_request(body=body)), read)


def _left_out(response: Response) -> int | None:
    text = response.headers.get(LEFT_OUT, "")
    return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else None


def exports_report(export_id: UUID) -> Call[ExportReport]:
    """Return the call that fetches the report on a finished export. Only the embedded engine has this operation."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.exports.exports_report import _get_kwargs as exports_report_request  # noqa: PLC0415 -- see prepare()

    def convert(report: models.MemoryExportReport) -> ExportReport:
        from mem0_exports.models import ExportReport  # noqa: PLC0415 -- see prepare()

        return ExportReport(
            memories=as_count(report.memories),
            left_out=as_count(report.left_out),
            filled={name: [*map(as_text, ids)] for name, ids in report.filled.additional_properties.items()},
            gaps=[*map(_gap, report.gaps)],
            notes=[*map(as_text, report.notes)],
            evidence=[*map(_evidence, report.evidence)],
            unread=as_count(report.unread),
            unread_ids=[*map(as_text, report.unread_ids)],
            usage=None if (usage := known(report.usage)) is None else _usage(usage),
        )

    return call("exports_report", exports_report_request(export_id), models.MemoryExportReport.from_dict, convert)


def _gap(gap: models.MemoryExportGap) -> ExportGap:
    from mem0_exports.models import ExportGap  # noqa: PLC0415 -- see prepare()

    return ExportGap(
        path=as_text(gap.path),
        reason=as_text(gap.reason),
        count=as_count(gap.count),
        did_you_mean=known_text(gap.did_you_mean),
    )


def _evidence(evidence: models.MemoryExportEvidence) -> ExportEvidence:
    from mem0_exports.models import ExportEvidence  # noqa: PLC0415 -- see prepare()

    return ExportEvidence(
        path=as_text(evidence.path),
        how=as_text(evidence.how),
        memory_id=as_text(evidence.memory_id),
        start=known_count(evidence.start),
        end=known_count(evidence.end),
    )


def _usage(usage: models.MemoryExportUsage) -> ExportUsage:
    from mem0_exports.models import ExportUsage  # noqa: PLC0415 -- see prepare()

    return ExportUsage(
        model=as_text(usage.model),
        calls=as_count(usage.calls),
        cached=as_count(usage.cached),
        tokens_in=as_count(usage.tokens_in),
        tokens_out=as_count(usage.tokens_out),
        seconds=float(usage.seconds),
    )


def exports_list(*, page: int, page_size: int) -> Call[Page[ExportInfo]]:
    """Return the call that lists one page of exports. Only the embedded engine has this operation."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.exports.exports_list import _get_kwargs as exports_list_request  # noqa: PLC0415 -- see prepare()

    def convert(found: models.MemoryExportPage) -> Page[ExportInfo]:
        return page_of([_info(each) for each in found.results], found.count, found.next_)

    built = exports_list_request(page=page, page_size=page_size)
    return call("exports_list", built, models.MemoryExportPage.from_dict, convert)


def _info(found: models.MemoryExport) -> ExportInfo:
    from mem0_exports.models import ExportInfo  # noqa: PLC0415 -- see prepare()

    return ExportInfo(
        id=id_text(found.id),
        state=as_text(found.state),
        created_at=found.created_at,
        expires_at=found.expires_at,
        reason=known_text(found.reason),
    )


def exports_cancel(export_id: UUID) -> Call[ExportInfo]:
    """Return the call that cancels an export. Only the embedded engine has this operation."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.exports.exports_cancel import _get_kwargs as exports_cancel_request  # noqa: PLC0415 -- see prepare()

    built = exports_cancel_request(export_id)
    return call("exports_cancel", built, models.MemoryExport.from_dict, _info, writes=True)


def exports_delete(export_id: UUID) -> Call[None]:
    """Return the call that deletes an export. Only the embedded engine has this operation."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.exports.exports_delete import _get_kwargs as exports_delete_request  # noqa: PLC0415 -- see prepare()

    def convert(deleted: models.DeletedMemoryExport) -> None:
        known_text(deleted.message)

    built = exports_delete_request(export_id)
    return call("exports_delete", built, models.DeletedMemoryExport.from_dict, convert, writes=True)
