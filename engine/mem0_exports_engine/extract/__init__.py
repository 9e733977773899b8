"""Extractors, which fill a schema from memories. `extraction.Extractor` says what they do; each folder here contains one."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from mem0_exports.llm import LLM
    from mem0_exports_engine.extraction import Extractor


def extractor_for(llm: LLM | None) -> Extractor:
    """Return the extractor of an engine: with a language model if there is one, otherwise without."""
    if llm is not None:
        from mem0_exports_engine.extract.llm.extractor import LLMExtractor  # noqa: PLC0415 -- loads httpx

        return LLMExtractor(llm)
    from mem0_exports_engine.extract.offline.extractor import OfflineExtractor  # noqa: PLC0415 -- only if it is used

    return OfflineExtractor()
