"""The exceptions of this package. They are plain data: they can be pickled and hold no HTTP objects and no secrets.

Mem0ExportsError
├── ConfigurationError (ValueError)     no key, a bad base URL, an extra that is not installed
├── InputError (ValueError)             an argument cannot be sent; `field` names it
│   ├── FilterError                     a filter the service would refuse or misread; `pointer` names the bad part
│   └── SchemaError                     a schema that cannot describe an export
├── NoAnswer                            the service did not answer; `sent` is True if it may have got the request
│   ├── ConnectionFailed (ConnectionError)  the connection was refused, reset or closed early
│   └── RequestTimeout (TimeoutError)   the answer did not come in time
├── StatusError                         the service answered with an error: `status`, `message`, `retry_after`
│   ├── BadRequest                      400, 413, 422
│   ├── Unauthorized                    401
│   ├── Forbidden                       403
│   ├── NotFound                        404 (a pending export is not an error)
│   ├── RateLimited                     429
│   └── ServerError                     5xx
├── ContractViolation                   a success status with a body that openapi.yaml does not allow
├── ResponseTooLarge                    the answer has more than `max_response_bytes` bytes
├── LedgerError                         the file of a Ledger cannot be used
├── OutcomeUnknown                      an earlier run sent this create and got no answer; see Ledger
├── ExportTimeout (TimeoutError)        the export was not ready in time; resume it with `export_id`
├── ExportFailed                        the embedded engine could not make the export; `reason`
├── ExportInvalid (ValueError)          the export does not fit the requested type; `data`, `errors`
└── ExportIncomplete                    with strict=True: the export is empty, or records were left out; `data`, `report`

All of them have `export_id`, `operation`, `attempts`, `request_id`, `retry_after` and `outcome_unknown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mem0_exports.models import ExportReport


class Mem0ExportsError(Exception):
    """The base class of all exceptions of this package. `str(error)` is a message for people.

    try:
        profile = client.exports.run(Profile, F.user_id == "alex")
    except Mem0ExportsError as error:
        if error.outcome_unknown:
            ...  # a job may exist although the answer was lost: another create could start a second job
        raise
    """

    export_id: str | None = None
    """The id of the export that the error is about, if any. Resume it with `client.exports.get(export_id, Model)`."""

    operation: str | None = None
    """The operation of openapi.yaml that failed, such as "exports_create"; None if the error is not about one."""

    attempts: int = 0
    """How many requests the failed call sent, including the last one."""

    request_id: str | None = None
    """The X-Request-ID header of the last answer, for questions to the service's support; None if there is none."""

    retry_after: float | None = None
    """The wait in seconds that the service asked for (Retry-After); None if it asked for none."""

    outcome_unknown: bool = False
    """True if an operation that writes may have been carried out although no usable answer came. Repeating it may then
    do the same thing twice. False if it cannot have been carried out, and for every operation that only reads."""

    def __reduce__(self) -> tuple[Callable[..., Mem0ExportsError], tuple[object, ...]]:
        """Pickle the error as plain data.

        Exception's own method would call the constructor with `args` only, and most of these constructors need more.
        """
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[Mem0ExportsError], args: tuple[object, ...], state: dict[str, object]) -> Mem0ExportsError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(Mem0ExportsError, ValueError):
    """The client cannot be used: it has no key or a bad `base_url`, an extra is not installed, or it is closed."""


class InputError(Mem0ExportsError, ValueError):
    """An argument cannot be used; nothing was sent. `field` is the name of the argument."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class FilterError(InputError):
    """A filter that the service would refuse or misread; nothing was sent.

    `pointer` is the JSON pointer (RFC 6901) of the bad part of a filter dict, such as "/AND/0/user_id". `pointer` is
    None if the filter is not a dict.
    """

    def __init__(self, message: str, *, pointer: str | None = None) -> None:
        super().__init__(f"{message} (at {pointer})" if pointer else message, field="filters")
        self.pointer = pointer


class FilterWarning(UserWarning):
    """The service accepts this filter, but it probably does not select what you mean. It points at your line."""


class SchemaError(InputError):
    """A type or JSON Schema that cannot describe an export; nothing was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, field="schema")


class NoAnswer(Mem0ExportsError):
    """The service did not answer. `sent` says whether the request could have reached it."""

    def __init__(self, message: str, *, operation: str | None = None, sent: bool = True) -> None:
        super().__init__(message if operation is None else f"{operation}: {message}")
        self.operation = operation
        self.sent = sent
        """False if no connection was made, so that nothing can have reached the service."""


class ConnectionFailed(NoAnswer, ConnectionError):
    """The connection was refused, reset or closed before the answer was complete."""


class RequestTimeout(NoAnswer, TimeoutError):
    """The answer did not come within the timeout of the request."""


class StatusError(Mem0ExportsError):
    """The service answered with an error status, `status`. Its own error message is in `message`."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        operation: str,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{operation}: {status}: {message}")
        self.message = message
        self.status = status
        self.operation = operation
        self.request_id = request_id
        self.retry_after = retry_after


class BadRequest(StatusError):
    """400, 413 or 422: the service cannot use the request."""


class Unauthorized(StatusError):
    """401: the key is missing or unknown."""


class Forbidden(StatusError):
    """403: the key does not permit this."""


class NotFound(StatusError):
    """404: there is nothing under this address. An export that is not ready yet is not an error."""


class RateLimited(StatusError):
    """429: too many requests. `retry_after` is the wait in seconds, if the service gave one."""


class ServerError(StatusError):
    """5xx: the service failed."""


class ContractViolation(Mem0ExportsError):
    """A success status whose body openapi.yaml does not allow. `excerpt` is the first 200 characters of the body.

    `garbled` is True if the body is not JSON. Then the likely cause is a broken transfer, not another API version.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        excerpt: str,
        status: int | None = None,
        request_id: str | None = None,
        garbled: bool = False,
    ) -> None:
        super().__init__(f"{operation}: {message}" if status is None else f"{operation}: {status}: {message}")
        self.problem = message
        self.operation = operation
        self.excerpt = excerpt
        self.status = status
        self.request_id = request_id
        self.garbled = garbled


class ResponseTooLarge(Mem0ExportsError):
    """The answer has more than `limit` bytes, counted after decompression. It was not read any further.

    If it is an export that you want, fetch it with a higher limit: with the `export_id` of this error,
    `client.with_options(max_response_bytes=...).exports.get(export_id, Model)`.
    """

    def __init__(self, *, operation: str, limit: int, status: int, request_id: str | None = None) -> None:
        super().__init__(f"{operation}: the answer has more than {limit:,} bytes (max_response_bytes)")
        self.operation = operation
        self.limit = limit
        self.status = status
        self.request_id = request_id


class LedgerError(Mem0ExportsError):
    """The file of a ledger cannot be opened, read or written."""


class OutcomeUnknown(Mem0ExportsError):
    """An earlier run sent this create and got no answer: a job may exist, but its id is unknown.

    Nothing was sent now. `Ledger(path, on_unknown="ask_again")` sends the create again, which may make a second job.
    `fingerprint` is the ledger's key for the export. `lost_answers` is the number of creates of this export whose
    outcome is unknown.
    """

    def __init__(self, message: str, *, fingerprint: str, lost_answers: int = 1) -> None:
        super().__init__(message)
        self.fingerprint = fingerprint
        self.lost_answers = lost_answers
        self.operation = "exports_create"
        self.outcome_unknown = True


class ExportTimeout(Mem0ExportsError, TimeoutError):
    """The export was not ready in time. The job continues; resume it with `client.exports.get(export_id, Model)`.

    `timeout` is the wait in seconds, and `polls` is the number of "not ready" answers. `last_failure` is the error of
    the last poll, or None if that poll got a usable answer.
    """

    def __init__(
        self, export_id: str, *, timeout: float, polls: int, attempts: int = 0, last_failure: str | None = None
    ) -> None:
        last_poll = "" if last_failure is None else f" The last poll got no usable answer ({last_failure})."
        super().__init__(
            f"export {export_id} was not ready after {timeout:g} s and {polls} polls.{last_poll} The service reports "
            "no status: it answers with the same 404 whether the export is still running, has failed or expired, or "
            "the id is unknown. To wait longer, also from another process: "
            f"client.exports.get({export_id!r}, Model).result(timeout=...)"
        )
        self.export_id = export_id
        self.operation = "exports_get"
        self.attempts = attempts
        self.timeout = timeout
        self.polls = polls
        self.last_failure = last_failure


class ExportFailed(Mem0ExportsError):
    """The export failed and will never be ready. Only the embedded engine reports this; the Platform does not."""

    def __init__(self, export_id: str, reason: str) -> None:
        super().__init__(f"export {export_id} failed: {reason}")
        self.operation = "exports_get"
        self.export_id = export_id
        self.reason = reason


class ExportInvalid(Mem0ExportsError, ValueError):
    """The export does not fit the requested type. Nothing is lost: `data` is the JSON value that the service sent.

    `errors` has a dict for each problem: `path` (a JSON pointer into `data`), `message` and `input` (the bad value).
    """

    def __init__(self, export_id: str | None, *, data: object, errors: Sequence[dict[str, Any]]) -> None:
        lines = [f"  {error['path']}: {error['message']} (got {str(error['input'])[:80]!r})" for error in errors[:5]]
        more = f"\n  and {len(errors) - 5} more" if len(errors) > 5 else ""
        super().__init__(f"export {export_id} does not fit the requested type:\n" + "\n".join(lines) + more)
        self.operation = "exports_get"
        self.export_id = export_id
        self.data = data
        self.errors = list(errors)


class ExportIncomplete(Mem0ExportsError):
    """With `strict=True`: the export found nothing, or the embedded engine left records out of it.

    Nothing is lost: `data` is the JSON value that the service sent, and it fits the type. `report` says why; it is None
    if the service has no reports.
    """

    def __init__(self, message: str, *, export_id: str, data: object, report: ExportReport | None) -> None:
        super().__init__(message)
        self.operation = "exports_get"
        self.export_id = export_id
        self.data = data
        self.report = report


class ExportWarning(UserWarning):
    """An export found nothing, or the embedded engine left records out of it. It points at your line.

    `strict=True` raises ExportIncomplete instead. To turn these warnings off:
    `warnings.filterwarnings("ignore", category=ExportWarning)`.

    `export_id` is the id of the export; None if the warning is about several exports of `run_many`. `report` says why
    values are missing; it is None if the service has no reports.
    """

    def __init__(self, message: str, *, export_id: str | None = None, report: ExportReport | None = None) -> None:
        super().__init__(message)
        self.export_id = export_id
        self.report = report
