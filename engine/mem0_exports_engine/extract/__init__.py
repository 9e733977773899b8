"""Extractors, which fill a schema from memories. `ports.Extractor` says what they do; each folder here contains one."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from mem0_exports_engine.ports import Extractor


def default_extractor() -> Extractor:
    """Return the default extractor of an engine. It uses no language model."""
    from mem0_exports_engine.extract.offline.extractor import OfflineExtractor  # noqa: PLC0415 -- only if it is used

    return OfflineExtractor()
