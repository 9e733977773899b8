"""Export memories from Mem0 into your own types.

    from mem0_exports import Client, F

    with Client() as client:
        profile = client.exports.run(Profile, F.user_id == "alex", timeout=60)

Each public name is imported on first use, so that importing the package itself takes almost no time.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mem0_exports._version import __version__
    from mem0_exports.client import AsyncClient, Client
    from mem0_exports.errors import (
        BadRequest,
        ConfigurationError,
        ConnectionFailed,
        ContractViolation,
        ExportFailed,
        ExportIncomplete,
        ExportInvalid,
        ExportTimeout,
        ExportWarning,
        FilterError,
        FilterWarning,
        Forbidden,
        InputError,
        LedgerError,
        Mem0ExportsError,
        NoAnswer,
        NotFound,
        OutcomeUnknown,
        RateLimited,
        RequestTimeout,
        ResponseTooLarge,
        SchemaError,
        ServerError,
        StatusError,
        Unauthorized,
    )
    from mem0_exports.exports.handles import AsyncExport, Export
    from mem0_exports.exports.ledger import Ledger, LedgerEntry
    from mem0_exports.exports.outcomes import ExportOutcome, ExportProgress, ExportRequest
    from mem0_exports.filters.fields import F, Filter, all_of, any_of
    from mem0_exports.filters.rules import FilterRules
    from mem0_exports.http.settings import Retry
    from mem0_exports.llm import LLM
    from mem0_exports.models import (
        Account,
        AddedMemory,
        Entity,
        ExportEvidence,
        ExportGap,
        ExportInfo,
        ExportReport,
        ExportUsage,
        Memory,
    )
    from mem0_exports.output.arrow import to_arrow
    from mem0_exports.output.frames import to_pandas, to_polars
    from mem0_exports.output.save import save
    from mem0_exports.schemas.annotations import From
    from mem0_exports.schemas.schema import Schema

_HOMES = {
    "_version": ("__version__",),
    "client": ("AsyncClient", "Client"),
    "errors": (
        "BadRequest",
        "ConfigurationError",
        "ConnectionFailed",
        "ContractViolation",
        "ExportFailed",
        "ExportIncomplete",
        "ExportInvalid",
        "ExportTimeout",
        "ExportWarning",
        "FilterError",
        "FilterWarning",
        "Forbidden",
        "InputError",
        "LedgerError",
        "Mem0ExportsError",
        "NoAnswer",
        "NotFound",
        "OutcomeUnknown",
        "RateLimited",
        "RequestTimeout",
        "ResponseTooLarge",
        "SchemaError",
        "ServerError",
        "StatusError",
        "Unauthorized",
    ),
    "exports.outcomes": ("ExportOutcome", "ExportProgress", "ExportRequest"),
    "exports.handles": ("AsyncExport", "Export"),
    "exports.ledger": ("Ledger", "LedgerEntry"),
    "filters.fields": ("F", "Filter", "all_of", "any_of"),
    "filters.rules": ("FilterRules",),
    "http.settings": ("Retry",),
    "llm": ("LLM",),
    "models": (
        "Account",
        "AddedMemory",
        "Entity",
        "ExportEvidence",
        "ExportGap",
        "ExportInfo",
        "ExportReport",
        "ExportUsage",
        "Memory",
    ),
    "output.arrow": ("to_arrow",),
    "output.frames": ("to_pandas", "to_polars"),
    "output.save": ("save",),
    "schemas.annotations": ("From",),
    "schemas.schema": ("Schema",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "LLM",
    "Account",
    "AddedMemory",
    "AsyncClient",
    "AsyncExport",
    "BadRequest",
    "Client",
    "ConfigurationError",
    "ConnectionFailed",
    "ContractViolation",
    "Entity",
    "Export",
    "ExportEvidence",
    "ExportFailed",
    "ExportGap",
    "ExportIncomplete",
    "ExportInfo",
    "ExportInvalid",
    "ExportOutcome",
    "ExportProgress",
    "ExportReport",
    "ExportRequest",
    "ExportTimeout",
    "ExportUsage",
    "ExportWarning",
    "F",
    "Filter",
    "FilterError",
    "FilterRules",
    "FilterWarning",
    "Forbidden",
    "From",
    "InputError",
    "Ledger",
    "LedgerEntry",
    "LedgerError",
    "Mem0ExportsError",
    "Memory",
    "NoAnswer",
    "NotFound",
    "OutcomeUnknown",
    "RateLimited",
    "RequestTimeout",
    "ResponseTooLarge",
    "Retry",
    "Schema",
    "SchemaError",
    "ServerError",
    "StatusError",
    "Unauthorized",
    "__version__",
    "all_of",
    "any_of",
    "save",
    "to_arrow",
    "to_pandas",
    "to_polars",
]


if not TYPE_CHECKING:  # type checkers see the imports above; a __getattr__ would make them accept misspelled names

    def __getattr__(name: str) -> object:
        home = _HOME_OF.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
