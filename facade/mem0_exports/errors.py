"""The exceptions, one tree. All of them are plain data: picklable, no HTTP objects inside, no secrets.

Mem0ExportsError
├── ConfigurationError (ValueError)     no key, a bad base URL, an extra that is not installed
├── InputError (ValueError)             an argument cannot be sent; `field` names it
│   ├── FilterError                     a filter that the service refuses or misreads; `pointer` into its dict
│   └── SchemaError                     a schema that cannot describe an export
├── NoAnswer                            the service did not answer; `sent`
│   ├── ConnectionFailed (ConnectionError)  refused, reset, or broken off
│   └── RequestTimeout (TimeoutError)   not in time
├── StatusError                         the service said no: `status`, `message`, `retry_after`
│   ├── BadRequest                      400, 413, 422
│   ├── Unauthorized                    401
│   ├── Forbidden                       403
│   ├── NotFound                        404 (a pending export is not an error)
│   ├── RateLimited                     429
│   └── ServerError                     5xx
├── ContractViolation                   a success that is not what openapi.yaml promises
├── LedgerError                         the file of a Ledger cannot be used
├── OutcomeUnknown                      an earlier run of yours lost the answer to this create; see Ledger
├── ExportTimeout (TimeoutError)        the export was not ready in time; `export_id` to go on with
├── ExportFailed                        the embedded engine could not make the export; `reason`
└── ExportInvalid (ValueError)          the export does not fit the user's type; `data`, `errors`

Every one of them has `export_id`, `operation`, `attempts`, `request_id`, `retry_after` and `outcome_unknown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Mem0ExportsError(Exception):
    """The base of all exceptions of this package. `str()` is a sentence for people."""

    export_id: str | None = None
    """The job that the error is about, where there is one. With it you can go on: `client.exports.get(id, Model)`."""

    operation: str | None = None
    """The operation of openapi.yaml that failed, such as "exports_create"; None where nothing was to be sent."""

    attempts: int = 0
    """How many requests the failed call made, the last one included."""

    request_id: str | None = None
    """What the service calls the request (its X-Request-ID header), for its support; None where it said nothing."""

    retry_after: float | None = None
    """Seconds that the service asked to wait; None where it said nothing."""

    outcome_unknown: bool = False
    """True where a create or an add may have been carried out although its answer is lost: asking again may do it
    twice. False where nothing can have happened, and always for what only reads."""

    def __reduce__(self) -> tuple[Callable[..., Mem0ExportsError], tuple[object, ...]]:
        """Rebuild from plain data, whatever arguments the class's own constructor takes."""
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[Mem0ExportsError], args: tuple[object, ...], state: dict[str, object]) -> Mem0ExportsError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(Mem0ExportsError, ValueError):
    """The client cannot be set up as asked."""


class InputError(Mem0ExportsError, ValueError):
    """An argument cannot be sent. Nothing was sent."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class FilterError(InputError):
    """A filter that the service would refuse or misread. `pointer` is the JSON pointer of the bad part, if any."""

    def __init__(self, message: str, *, pointer: str | None = None) -> None:
        super().__init__(f"{message} (at {pointer})" if pointer else message, field="filters")
        self.pointer = pointer


class FilterWarning(UserWarning):
    """A filter that is accepted, but hardly selects what its author means."""


class SchemaError(InputError):
    """A schema that cannot describe an export."""

    def __init__(self, message: str) -> None:
        super().__init__(message, field="schema")


class NoAnswer(Mem0ExportsError):
    """The service did not answer. What came before tells whether it can have been asked: `sent`."""

    def __init__(self, message: str, *, operation: str | None = None, sent: bool = True) -> None:
        super().__init__(message if operation is None else f"{operation}: {message}")
        self.operation = operation
        self.sent = sent
        """False where nothing can have reached the service, as no connection was made."""


class ConnectionFailed(NoAnswer, ConnectionError):
    """No answer came: the connection was refused, reset or broken off."""


class RequestTimeout(NoAnswer, TimeoutError):
    """No answer came within the time of one request."""


class StatusError(Mem0ExportsError):
    """The service answered with an error status."""

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
    """401: the key is missing or not known."""


class Forbidden(StatusError):
    """403: the key may not do this."""


class NotFound(StatusError):
    """404: there is no such thing."""


class RateLimited(StatusError):
    """429: too many requests; `retry_after` in seconds, where the service said it."""


class ServerError(StatusError):
    """5xx: the service failed."""


class ContractViolation(Mem0ExportsError):
    """A success whose body is not what openapi.yaml promises. `excerpt` is the start of the body.

    `garbled` where the body is no JSON at all: rather a broken transfer than another version of the service.
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


class LedgerError(Mem0ExportsError):
    """The file of a ledger cannot be opened, read or written."""


class OutcomeUnknown(Mem0ExportsError):
    """A ledger says that this export was asked for, and that the answer never came: a job may exist, without an id.

    Nothing was sent. `Ledger(path, on_unknown="ask_again")` asks again, and may make a second job; `fingerprint` is what
    the ledger knows the export by, `lost_answers` how many creates of it are of unknown outcome.
    """

    def __init__(self, message: str, *, fingerprint: str, lost_answers: int = 1) -> None:
        super().__init__(message)
        self.fingerprint = fingerprint
        self.lost_answers = lost_answers
        self.operation = "exports_create"
        self.outcome_unknown = True


class ExportTimeout(Mem0ExportsError, TimeoutError):
    """The export was not ready in time. The job goes on: `client.exports.get(export_id, Model)` takes it up."""

    def __init__(
        self, export_id: str, *, timeout: float, polls: int, attempts: int = 0, last_failure: str | None = None
    ) -> None:
        trouble = "" if last_failure is None else f" The last poll got no usable answer ({last_failure})."
        super().__init__(
            f"export {export_id} was not ready after {timeout:g} s and {polls} polls.{trouble} The service has no status: it "
            "gives the same 404 for an export that is still running, failed or expired and for an unknown id. "
            f"To go on waiting, also in another process: client.exports.get({export_id!r}, Model).result(timeout=...)"
        )
        self.export_id = export_id
        self.operation = "exports_get"
        self.attempts = attempts
        self.timeout = timeout
        self.polls = polls
        self.last_failure = last_failure


class ExportFailed(Mem0ExportsError):
    """The export will never be ready. Only the embedded engine says so; the hosted service has no such answer."""

    def __init__(self, export_id: str, reason: str) -> None:
        super().__init__(f"export {export_id} failed: {reason}")
        self.operation = "exports_get"
        self.export_id = export_id
        self.reason = reason


class ExportInvalid(Mem0ExportsError, ValueError):
    """The export does not fit the type that was asked for. Nothing is lost: `data` is what the service sent."""

    def __init__(self, export_id: str | None, *, data: object, errors: Sequence[dict[str, Any]]) -> None:
        lines = [f"  {error['path']}: {error['message']} (got {str(error['input'])[:80]!r})" for error in errors[:5]]
        more = f"\n  and {len(errors) - 5} more" if len(errors) > 5 else ""
        super().__init__(f"export {export_id} does not fit the type asked for:\n" + "\n".join(lines) + more)
        self.operation = "exports_get"
        self.export_id = export_id
        self.data = data
        self.errors = list(errors)
