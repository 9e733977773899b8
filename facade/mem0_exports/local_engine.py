"""What a client expects of the embedded engine: protocols, so that the client knows nothing of the engine's package.

`mem0_exports_engine` implements them; only `Client.local` loads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Gap(Protocol):
    """A field that stayed empty, or a value or record that was left out."""

    @property
    def path(self) -> str:
        """The field, such as `birth_year` or `items[].place`."""
        ...

    @property
    def reason(self) -> str:
        """Why, as a sentence."""
        ...

    @property
    def count(self) -> int:
        """How many times: for the fields of records, in how many of them."""
        ...

    @property
    def did_you_mean(self) -> str | None:
        """A metadata key with a similar name. Only a hint: it was not used."""
        ...


class Report(Protocol):
    """What went into an export, what was filled from where, and what stayed empty."""

    @property
    def memories(self) -> int:
        """How many memories were read."""
        ...

    @property
    def filled(self) -> Mapping[str, Sequence[str]]:
        """For each filled field of the root, the ids of the memories that its value comes from (the first hundred)."""
        ...

    @property
    def gaps(self) -> Sequence[Gap]:
        """What stayed empty or was left out."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What else there is to say, such as that instructions were not followed."""
        ...


class BadLine(Protocol):
    """A line that was not imported."""

    @property
    def number(self) -> int:
        """Its number, counted from 1."""
        ...

    @property
    def reason(self) -> str:
        """Why it was not imported."""
        ...


class Imported(Protocol):
    """What became of the lines of an import."""

    @property
    def added(self) -> int:
        """How many memories were added."""
        ...

    @property
    def known(self) -> int:
        """How many memories were there already."""
        ...

    @property
    def bad(self) -> Sequence[BadLine]:
        """The first thousand lines that were not imported."""
        ...

    @property
    def bad_count(self) -> int:
        """How many lines were not imported."""
        ...


class LocalEngine(Protocol):
    """The embedded engine behind a client made with `local`: what it can do beyond the API."""

    def import_lines(self, lines: Iterable[bytes]) -> Imported:
        """Import memory records from JSON Lines. Keeps ids and times; importing them again adds nothing."""
        ...

    def report(self, export_id: str) -> Report:
        """What a finished export filled, what stayed empty, and why; InputError where there is none (yet)."""
        ...


class EngineTransport(Protocol):
    """What a local client has in the place of a connection to a service."""

    @property
    def path(self) -> str:
        """The SQLite file, or ":memory:"."""
        ...

    @property
    def origin(self) -> str:
        """What tells its exports from those of another store, in a ledger."""
        ...

    @property
    def engine(self) -> LocalEngine:
        """The engine, opened if it is not open yet."""
        ...
