"""Schema + memories -> data: the offline extractor, which fills what it can prove and reports what it cannot."""

from mem0_exports._json_schema import Unusable
from mem0_exports.local.extract.fit import check_schema
from mem0_exports.local.extract.report import Gap, Report
from mem0_exports.local.extract.run import Unfillable, extract


__all__ = ["Gap", "Report", "Unfillable", "Unusable", "check_schema", "extract"]
