"""What a store raises. See `ports` for its methods."""

from __future__ import annotations

from mem0_exports.errors import ConfigurationError, Mem0ExportsError


class StoreError(Mem0ExportsError):
    """A store operation failed and changed nothing. The message is the database's own."""


class StoreBusy(StoreError):
    """Another process is writing, or all connections are in use. A retry will succeed."""


class StoreFull(StoreError):
    """The store cannot be written: the disk is full, failing or read-only. A later retry can succeed."""


class StoreFailed(StoreError):
    """The store failed in a way that a retry cannot fix, such as a damaged file."""


class StoreDamaged(StoreFailed):
    """A part of the file cannot be read. The message, which has nothing of a memory, says which and what to do."""


class StoreReplaced(StoreFailed):
    """The file of the store was deleted or replaced while it was open."""


class Interrupted(StoreError):
    """A statement was interrupted, because its caller wanted to stop."""


class NotAStore(StoreError, ConfigurationError):
    """The path is not a store, and none can be created there."""


class TooLarge(Exception):
    """The memories of a page are too large together."""


class Fenced(Exception):
    """Another worker has taken over the job, so this worker must not write any more of it."""


class Gone(Exception):
    """A part of a result is missing because the export expired while it was being read."""
