"""Read files as bytes of UTF-8: whole or in pieces, unpacked, and again from a beginning that was read already."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib

from typing import IO, TYPE_CHECKING

from mem0_exports.errors import InputError
from mem0_exports_engine.limits import MAX_DOCUMENT


if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def whole(head: bytes, file: IO[bytes], what: str, hint: str) -> bytes:
    """Return all of a file that has to be read at once. Raises InputError if it is too large."""
    data = head + file.read(MAX_DOCUMENT - len(head) + 1)
    if len(data) > MAX_DOCUMENT:
        raise InputError(f"{what} must be at most {MAX_DOCUMENT // 1024**2} MB; {hint}", field="file")
    return data


def seekable(head: bytes, file: IO[bytes]) -> IO[bytes]:
    """Return a file at its beginning. A pipe is read to its end."""
    if file.seekable():
        file.seek(-len(head), io.SEEK_CUR)
        return file
    return io.BytesIO(whole(head, file, "a zip archive from a pipe", "give its path instead"))


def unzipped(file: IO[bytes]) -> IO[bytes]:
    """Return what is in a gzip file. Reading raises InputError where it is damaged."""
    return checked(gzip.GzipFile(fileobj=file))


def checked(file: IO[bytes] | gzip.GzipFile) -> IO[bytes]:
    """Return a compressed file that raises InputError where it is damaged."""
    return io.BufferedReader(_Checked(file))


def in_utf_8(file: io.BufferedReader) -> IO[bytes]:
    """Return a file in UTF-16 as one in UTF-8. Reading raises InputError where it is not valid."""
    return io.BufferedReader(_Encoded(io.TextIOWrapper(file, encoding="utf-16", newline="")))


class _Rejoined(io.RawIOBase):
    """A file whose first bytes have been read already."""

    def __init__(self, head: bytes, file: IO[bytes]) -> None:
        self._head = memoryview(head)
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        part = self._head[: len(view)] if self._head else self._file.read(len(view))
        self._head = self._head[len(part) :]
        view[: len(part)] = part
        return len(part)


def joined(head: bytes, file: IO[bytes]) -> io.BufferedReader:
    """Return a file whose first bytes have been read already, as if they had not."""
    return io.BufferedReader(_Rejoined(head, file))


class _Encoded(io.RawIOBase):
    """A text file as bytes in UTF-8."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        if not self._rest:
            try:
                self._rest = self._text.read(len(view) // 4 + 1).encode()
            except UnicodeError as error:
                raise InputError(f"the file is not valid UTF-16: {error}", field="file") from None
        part, self._rest = self._rest[: len(view)], self._rest[len(view) :]
        view[: len(part)] = part
        return len(part)


class _Checked(io.RawIOBase):
    """A compressed file. If it is damaged, reading raises InputError."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except (EOFError, OSError, zlib.error, zipfile.BadZipFile) as error:
            raise InputError(f"the file is damaged or cut off: {error}", field="file") from None

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        part = self.read(len(view))
        view[: len(part)] = part
        return len(part)
