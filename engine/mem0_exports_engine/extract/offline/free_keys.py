"""Fill an object whose schema names no properties, such as that of `dict[str, Any]`, from all metadata keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mem0_exports_engine.extract.offline.mismatch import Mismatch
from mem0_exports_engine.extract.offline.values import Field
from mem0_exports_engine.extract.offline.work import size_of
from mem0_exports_engine.report import Gap


if TYPE_CHECKING:
    from collections.abc import Sequence

    from mem0_exports_engine.extract.offline.fit import Shape
    from mem0_exports_engine.extract.offline.free_names import FreeNames
    from mem0_exports_engine.ports import Record

ROOT: Final = "(root)"
"""The path of a gap that is about the whole object."""

MAX_KEYS: Final = 10_000
"""The most keys that are filled."""


class FreeKeys:
    """Collects, for each metadata key, the value of the newest memory whose value fits."""

    def __init__(self, shape: Shape, names: FreeNames) -> None:
        self.values: dict[str, Any] = {}
        self.sources: dict[str, list[str]] = {}
        """For each key, the id of the memory that its value comes from."""
        self.held = 0
        """About how many bytes the values take."""
        self._names = names
        self._limit = MAX_KEYS if names.limit is None else min(MAX_KEYS, names.limit)
        self._has_metadata = False
        self._noted = Field(ROOT, shape)

    def see(self, records: Sequence[Record]) -> None:
        """Collect the values of these memories. They come oldest first, so a later value replaces an earlier one."""
        for record in records:
            self._has_metadata = self._has_metadata or bool(record["metadata"])
            self._noted.shape.work.begin(record["id"])
            try:
                wanted = self._names.wanted(record["metadata"])
            except Mismatch as error:
                self._noted.note(ROOT, str(error))
                continue
            for key, value, shape in wanted:
                if key not in self.values and len(self.values) >= self._limit:
                    self._noted.note(ROOT, f"only the first {self._limit} metadata keys were filled")
                    continue
                try:
                    fitted = shape.fit(value)
                except Mismatch as error:
                    self._noted.misfit(value, error)
                else:
                    self.held += size_of(fitted) - (size_of(self.values[key]) if key in self.values else 0)
                    self.values[key] = fitted
                    self.sources[key] = [record["id"]]

    def gaps(self) -> list[Gap]:
        """Return what was left out, or that there was nothing."""
        if not self.values and not self._noted.gaps:
            why = (
                "no memory has a metadata key that the schema allows"
                if self._has_metadata
                else "no memory has metadata"
            )
            return [Gap(ROOT, why)]
        return [Gap(noted.path, noted.reason(noted.why), noted.times) for noted in self._noted.sorted_gaps()]
