"""Protocols for the embedded engine, so that the client does not depend on the engine's package.

`mem0_exports_engine` implements them; only `Client.local` and `AsyncClient.local` import it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Gap(Protocol):
    """A field that stayed empty in an export, or a value or record that was left out."""

    @property
    def path(self) -> str:
        """The path of the field, such as `birth_year` or `items[].place`."""
        ...

    @property
    def reason(self) -> str:
        """Why it is empty or missing, as a sentence."""
        ...

    @property
    def count(self) -> int:
        """How often this happened. For a field of the records in a list, this is the number of records."""
        ...

    @property
    def did_you_mean(self) -> str | None:
        """A metadata key with a similar name, or None. It is only a hint: the engine did not use that key."""
        ...


class Report(Protocol):
    """A report on an export: which memories filled which fields, and which fields stayed empty."""

    @property
    def memories(self) -> int:
        """How many memories the engine read."""
        ...

    @property
    def left_out(self) -> int:
        """How many records were left out of lists."""
        ...

    @property
    def filled(self) -> Mapping[str, Sequence[str]]:
        """For each filled top-level field, the ids of the memories that its value comes from (at most 100)."""
        ...

    @property
    def gaps(self) -> Sequence[Gap]:
        """The fields that stayed empty, and the values and records that were left out."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """Other remarks, such as that the instructions were not followed."""
        ...


class BadLine(Protocol):
    """A line that could not be imported."""

    @property
    def number(self) -> int:
        """The line number, counted from 1."""
        ...

    @property
    def reason(self) -> str:
        """Why the line could not be imported."""
        ...


class Imported(Protocol):
    """The result of an import."""

    @property
    def added(self) -> int:
        """How many memories were added."""
        ...

    @property
    def known(self) -> int:
        """How many memories the store already had."""
        ...

    @property
    def updated(self) -> int:
        """How many memories were replaced by another version."""
        ...

    @property
    def skipped(self) -> int:
        """How many records were left out, because the store has the memory in another version."""
        ...

    @property
    def bad(self) -> Sequence[BadLine]:
        """The lines that could not be imported (at most 1000)."""
        ...

    @property
    def bad_count(self) -> int:
        """How many lines could not be imported."""
        ...


class LocalEngine(Protocol):
    """The embedded engine of a client made with `local`. It has operations that the API does not have."""

    def import_lines(
        self, lines: Iterable[bytes], *, on_conflict: Literal["skip", "update", "error"] = "error"
    ) -> Imported:
        """Import memory records from JSON Lines, one record per line.

        Ids and times are kept, so that importing the same lines again adds nothing. A record that is another version of
        a memory in the store is rejected (in `bad`), left out or stored instead of it, as `on_conflict` says.

        Raises InputError if `on_conflict` is none of the three.
        """
        ...

    def report(self, export_id: str) -> Report:
        """Return which fields of a finished export were filled, which stayed empty, and why.

        Raises InputError if there is no such export or it is not finished yet.
        """
        ...


class EngineTransport(Protocol):
    """The transport of a local client. It passes requests to the engine instead of sending them to a service."""

    @property
    def path(self) -> str:
        """The path of the SQLite file, or ":memory:"."""
        ...

    @property
    def origin(self) -> str:
        """A name for the store. A ledger uses it to keep the exports of different stores apart."""
        ...

    @property
    def engine(self) -> LocalEngine:
        """The engine; opens it on first use."""
        ...
