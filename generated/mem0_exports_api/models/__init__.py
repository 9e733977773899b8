"""Contains all the data models used in inputs/outputs"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .add_memories_request import AddMemoriesRequest
    from .added_memories import AddedMemories
    from .added_memory import AddedMemory
    from .added_memory_data import AddedMemoryData
    from .categories_condition import CategoriesCondition
    from .deleted_memory import DeletedMemory
    from .deleted_memory_export import DeletedMemoryExport
    from .detail_error import DetailError
    from .detailed_error import DetailedError
    from .entity import Entity
    from .entity_operators import EntityOperators
    from .entity_page import EntityPage
    from .error_details import ErrorDetails
    from .filters import Filters
    from .get_memory_export_request import GetMemoryExportRequest
    from .json_schema import JsonSchema
    from .keywords_condition import KeywordsCondition
    from .list_memories_request import ListMemoriesRequest
    from .memory import Memory
    from .memory_export import MemoryExport
    from .memory_export_accepted import MemoryExportAccepted
    from .memory_export_evidence import MemoryExportEvidence
    from .memory_export_gap import MemoryExportGap
    from .memory_export_not_found import MemoryExportNotFound
    from .memory_export_page import MemoryExportPage
    from .memory_export_report import MemoryExportReport
    from .memory_export_request import MemoryExportRequest
    from .memory_export_result import MemoryExportResult
    from .memory_export_sources import MemoryExportSources
    from .memory_export_state import MemoryExportState
    from .memory_export_usage import MemoryExportUsage
    from .memory_ids_operators import MemoryIdsOperators
    from .memory_page import MemoryPage
    from .message import Message
    from .message_error import MessageError
    from .metadata import Metadata
    from .metadata_condition import MetadataCondition
    from .ping import Ping
    from .reason_error import ReasonError
    from .role import Role
    from .time_operators import TimeOperators

__all__ = (
    "AddedMemories",
    "AddedMemory",
    "AddedMemoryData",
    "AddMemoriesRequest",
    "CategoriesCondition",
    "DeletedMemory",
    "DeletedMemoryExport",
    "DetailedError",
    "DetailError",
    "Entity",
    "EntityOperators",
    "EntityPage",
    "ErrorDetails",
    "Filters",
    "GetMemoryExportRequest",
    "JsonSchema",
    "KeywordsCondition",
    "ListMemoriesRequest",
    "Memory",
    "MemoryExport",
    "MemoryExportAccepted",
    "MemoryExportEvidence",
    "MemoryExportGap",
    "MemoryExportNotFound",
    "MemoryExportPage",
    "MemoryExportReport",
    "MemoryExportRequest",
    "MemoryExportResult",
    "MemoryExportSources",
    "MemoryExportState",
    "MemoryExportUsage",
    "MemoryIdsOperators",
    "MemoryPage",
    "Message",
    "MessageError",
    "Metadata",
    "MetadataCondition",
    "Ping",
    "ReasonError",
    "Role",
    "TimeOperators",
)

_MODULES = {
    "AddMemoriesRequest": ".add_memories_request",
    "AddedMemories": ".added_memories",
    "AddedMemory": ".added_memory",
    "AddedMemoryData": ".added_memory_data",
    "CategoriesCondition": ".categories_condition",
    "DeletedMemory": ".deleted_memory",
    "DeletedMemoryExport": ".deleted_memory_export",
    "DetailError": ".detail_error",
    "DetailedError": ".detailed_error",
    "Entity": ".entity",
    "EntityOperators": ".entity_operators",
    "EntityPage": ".entity_page",
    "ErrorDetails": ".error_details",
    "Filters": ".filters",
    "GetMemoryExportRequest": ".get_memory_export_request",
    "JsonSchema": ".json_schema",
    "KeywordsCondition": ".keywords_condition",
    "ListMemoriesRequest": ".list_memories_request",
    "Memory": ".memory",
    "MemoryExport": ".memory_export",
    "MemoryExportAccepted": ".memory_export_accepted",
    "MemoryExportEvidence": ".memory_export_evidence",
    "MemoryExportGap": ".memory_export_gap",
    "MemoryExportNotFound": ".memory_export_not_found",
    "MemoryExportPage": ".memory_export_page",
    "MemoryExportReport": ".memory_export_report",
    "MemoryExportRequest": ".memory_export_request",
    "MemoryExportResult": ".memory_export_result",
    "MemoryExportSources": ".memory_export_sources",
    "MemoryExportState": ".memory_export_state",
    "MemoryExportUsage": ".memory_export_usage",
    "MemoryIdsOperators": ".memory_ids_operators",
    "MemoryPage": ".memory_page",
    "Message": ".message",
    "MessageError": ".message_error",
    "Metadata": ".metadata",
    "MetadataCondition": ".metadata_condition",
    "Ping": ".ping",
    "ReasonError": ".reason_error",
    "Role": ".role",
    "TimeOperators": ".time_operators",
}


def __getattr__(name: str) -> Any:
    """Import a model when it is first used. All of them at once would take several times longer."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    model = globals()[name] = getattr(import_module(_MODULES[name], __name__), name)
    return model
