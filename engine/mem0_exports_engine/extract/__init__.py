"""Schema and memories in, an export out. `ports.Extractor` says what an extractor does; each folder here is one."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from mem0_exports_engine.ports import Extractor


def default_extractor() -> Extractor:
    """Return the extractor of an engine that was given none: the one without a language model."""
    from mem0_exports_engine.extract.offline.extractor import OfflineExtractor  # noqa: PLC0415 -- only if it is used

    return OfflineExtractor()
