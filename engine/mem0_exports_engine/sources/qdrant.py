"""Read a local folder of Qdrant, also while an application has it open.

Each collection is a SQLite file whose points are pickles. They are read with an unpickler that makes nothing but plain
values: a pickle can otherwise run any code.
"""

from __future__ import annotations

import datetime as dt
import io
import pickle
import uuid

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from mem0_exports_engine.sources.files import opened
from mem0_exports_engine.sources.source import Point, unknown_collection, unreadable


if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN: Final[dict[tuple[str, str], Any]] = {
    ("datetime", "datetime"): dt.datetime,
    ("datetime", "date"): dt.date,
    ("datetime", "timedelta"): dt.timedelta,
    ("datetime", "timezone"): dt.timezone,
    ("uuid", "UUID"): uuid.UUID,
    ("uuid", "SafeUUID"): uuid.SafeUUID,
}
"""The classes that may stand in a point, besides those of Qdrant."""


class _Struct:
    """Stands for any class of Qdrant. It keeps the state of the object, and has no code to run."""

    def __new__(cls, *_: object, **__: object) -> Self:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        """Ignore the arguments."""

    def __setstate__(self, state: Any) -> None:
        # A model of Pydantic has its fields in __dict__ of its state.
        fields = state.get("__dict__", state) if isinstance(state, dict) else {}
        self.fields: dict[str, Any] = fields if isinstance(fields, dict) else {}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return the class of a name in a pickle. Raises UnpicklingError for any that a point does not have."""
        if module.partition(".")[0] == "qdrant_client":
            return _Struct
        try:
            return _PLAIN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a point of Qdrant") from None


class QdrantFolder:
    """Implement `source.Source` for a folder of Qdrant: `path` in the configuration of Mem0."""

    def __init__(self, folder: Path, collection: str) -> None:
        self.is_certain = True
        self.name = f"qdrant:{folder.resolve()}#{collection}"
        self._folder = folder / "collection"
        self._collection = collection

    def points(self) -> Iterator[Point]:
        """See `source.Source.points`."""
        file = self._folder / self._collection / "storage.sqlite"
        if Path(self._collection).name != self._collection or not file.is_file():
            others = [path.parent.name for path in self._folder.glob("*/storage.sqlite")]
            raise unknown_collection(self._collection, others, f"the Qdrant folder {str(self._folder.parent)!r}")
        with opened(file) as read:
            for _, pickled in read("SELECT id, point FROM points ORDER BY id"):
                yield _point(pickled)


def _point(pickled: bytes) -> Point:
    try:
        struct = _Unpickler(io.BytesIO(pickled)).load()
        return Point(str(struct.fields["id"]), dict(struct.fields.get("payload") or {}))
    # A damaged pickle can raise nearly anything.
    except Exception as error:  # noqa: BLE001 -- see above
        raise unreadable(f"a point of Qdrant cannot be read: {type(error).__name__}: {error}") from None
