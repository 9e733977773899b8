"""The exit codes of the command line, by kind of failure."""

from __future__ import annotations

from typing import Final

from mem0_exports import errors


DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
KEY: Final = 3
NOT_FOUND: Final = 4
TIMEOUT: Final = 5
UNKNOWN: Final = 6
PARTLY: Final = 7
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
"""As of a process that SIGPIPE has ended."""

HELP: Final = """\
Exit codes: 0 done; 1 failed; 2 an argument cannot be used, nothing was sent; 3 the API key is missing or refused;
4 not found, not ready yet or expired; 5 not ready in time (the id is printed); 6 a request may have been carried out,
but its answer was lost; 7 done in part; 130 interrupted."""


class MissingKey(errors.ConfigurationError):
    """There is no API key for a service that needs one."""


def code_of(error: errors.Mem0ExportsError) -> int:
    """Return the exit code for an error."""
    if error.outcome_unknown:
        return UNKNOWN
    for kinds, code in _CODES:
        if isinstance(error, kinds):
            return code
    return FAILED


_CODES: Final[tuple[tuple[tuple[type[Exception], ...], int], ...]] = (
    ((errors.InputError,), USAGE),
    ((errors.Unauthorized, errors.Forbidden, MissingKey), KEY),
    ((errors.NotFound,), NOT_FOUND),
    ((errors.ExportTimeout, errors.RequestTimeout), TIMEOUT),
    ((errors.ExportIncomplete,), PARTLY),
)
