"""Schema + memories -> data: the offline extractor, which fills what it can prove and reports what it cannot."""

from mem0_exports.schemas.validate import Unusable
from mem0_exports_engine.extract.offline.extractor import Unfillable, extract
from mem0_exports_engine.extract.offline.fit import check_schema
from mem0_exports_engine.extract.report import Gap, Report


__all__ = ["Gap", "Report", "Unfillable", "Unusable", "check_schema", "extract"]
