from typing import Literal

MemoryExportState = Literal["done", "failed", "pending", "running"]

MEMORY_EXPORT_STATE_VALUES: set[MemoryExportState] = {
    "done",
    "failed",
    "pending",
    "running",
}


def check_memory_export_state(value: str) -> MemoryExportState:
    if value in MEMORY_EXPORT_STATE_VALUES:
        return value
    raise TypeError(f"Unexpected value {value!r}. Expected one of {MEMORY_EXPORT_STATE_VALUES!r}")
