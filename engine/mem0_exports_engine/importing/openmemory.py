"""Read the backup of OpenMemory: a zip archive with the memories in `memories.jsonl.gz` and the user in `memories.json`."""

from __future__ import annotations

import zipfile

from typing import IO, TYPE_CHECKING, Any, Final

from mem0_exports.errors import InputError
from mem0_exports_engine import json_text
from mem0_exports_engine.importing.files import checked
from mem0_exports_engine.limits import MAX_DOCUMENT


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mem0_exports_engine.importing.found import Found

_MEMORIES: Final = "memories.jsonl.gz"
_USER: Final = "memories.json"


def of_zip(file: IO[bytes], read: Callable[[IO[bytes]], Iterator[Found]]) -> Iterator[Found]:
    """Return the records of an archive. `read` returns those of JSON Lines that are compressed with gzip.

    Raises InputError if it is not such a backup.
    """
    try:
        archive = zipfile.ZipFile(file)
        names = set(archive.namelist())
        if not {_MEMORIES, _USER} <= names:
            raise InputError(
                f"the zip archive must be a backup of OpenMemory, with {_MEMORIES} and {_USER} in it; unpack it, and import "
                "the file of memories in it",
                field="file",
            )
        user = _user(archive)
        lines = checked(archive.open(_MEMORIES))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise InputError(f"the zip archive cannot be read: {error}", field="file") from None
    return _of_user(read(lines), user)


def _of_user(found: Iterator[Found], user: str) -> Iterator[Found]:
    for each in found:
        if each.problem is not None or not isinstance(each.record, dict):
            yield each
        elif each.record.get("state") == "deleted":
            yield each._replace(record=None, problem="it was deleted in OpenMemory")
        else:
            yield each._replace(record=_record(each.record, user))


def _user(archive: zipfile.ZipFile) -> str:
    """Return the id of the user, which is not in the records."""
    with checked(archive.open(_USER)) as file:
        text = file.read(MAX_DOCUMENT + 1)
    try:
        if len(text) > MAX_DOCUMENT:
            raise ValueError(f"it is larger than {MAX_DOCUMENT // 1024**2} MB")
        user = json_text.read(text)["user"]["user_id"]
        if not isinstance(user, str) or not user:
            raise ValueError(f"user_id is {user!r:.60}")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{_USER} in the zip archive names no user: {error}", field="file") from None
    return user


def _record(found: dict[str, Any], user: str) -> dict[str, Any]:
    """Return a record with our names. A state other than "active", such as "archived", is kept with unknown fields."""
    record = {"user_id": user, "app_id": found.get("app"), **found}
    record.pop("app", None)
    if record.get("state") == "active":
        del record["state"]
    return record
