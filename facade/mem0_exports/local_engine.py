"""Protocols for the embedded engine, so that the client does not depend on the engine's package.

`mem0_exports_engine` implements them; only `Client.local` and `AsyncClient.local` import it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mem0_exports.filters.check import Where


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


class Evidence(Protocol):
    """Where a value of an export comes from."""

    @property
    def path(self) -> str:
        """The value, such as `city`, `hobbies[0]` or `visits[2].place`."""
        ...

    @property
    def how(self) -> str:
        """How it was found: metadata, text, or judged."""
        ...

    @property
    def memory_id(self) -> str:
        """The id of the memory."""
        ...

    @property
    def start(self) -> int | None:
        """For `text`, the index of the first character in the text of the memory."""
        ...

    @property
    def end(self) -> int | None:
        """The index after the last character."""
        ...


class Usage(Protocol):
    """What a language model was asked for an export."""

    @property
    def model(self) -> str:
        """The name of the model."""
        ...

    @property
    def calls(self) -> int:
        """How many requests were sent by the attempt that finished the export."""
        ...

    @property
    def cached(self) -> int:
        """How many answers were there already."""
        ...

    @property
    def tokens_in(self) -> int:
        """The tokens of the prompts."""
        ...

    @property
    def tokens_out(self) -> int:
        """The tokens of the answers."""
        ...

    @property
    def seconds(self) -> float:
        """The time that the calls took, added up."""
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

    @property
    def evidence(self) -> Sequence[Evidence]:
        """Where the values come from; at most 5,000 of them."""
        ...

    @property
    def unread(self) -> int:
        """How many memories the language model should have read, and did not."""
        ...

    @property
    def unread_ids(self) -> Sequence[str]:
        """The ids of these memories; at most the first 1,000."""
        ...

    @property
    def usage(self) -> Usage | None:
        """What the language model was asked; None if it was not needed, or there is none."""
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


class NotPulled(Protocol):
    """A memory of a source that the store does not have."""

    @property
    def id(self) -> str:
        """Its id in the source."""
        ...

    @property
    def reason(self) -> str:
        """Why it cannot be kept."""
        ...


class Pulled(Protocol):
    """The result of a pull."""

    @property
    def source(self) -> str:
        """The name under which the store keeps the memories."""
        ...

    @property
    def added(self) -> int:
        """How many memories are new."""
        ...

    @property
    def changed(self) -> int:
        """How many memories replaced an older version."""
        ...

    @property
    def same(self) -> int:
        """How many memories the store had already."""
        ...

    @property
    def gone(self) -> int:
        """How many memories were deleted, because the source has them no longer."""
        ...

    @property
    def kept(self) -> int:
        """How many memories are no longer in the source and were not deleted; `why_kept` says why."""
        ...

    @property
    def why_kept(self) -> str | None:
        """Why nothing was deleted although memories are missing; None if none are missing."""
        ...

    @property
    def taken(self) -> int:
        """How many memories were left out, because the store has another memory with their id."""
        ...

    @property
    def bad(self) -> Sequence[NotPulled]:
        """The memories that cannot be kept (at most 1000)."""
        ...

    @property
    def bad_count(self) -> int:
        """How many memories cannot be kept."""
        ...


class Estimate(Protocol):
    """What an export will ask of a language model, at most. Checks of single values come on top."""

    @property
    def model(self) -> str:
        """The name of the model."""
        ...

    @property
    def memories(self) -> int:
        """How many memories the export reads."""
        ...

    @property
    def calls(self) -> int:
        """How many requests will be sent to read them."""
        ...

    @property
    def cached(self) -> int:
        """How many answers are there already, and will not be asked for again."""
        ...

    @property
    def tokens_in(self) -> int:
        """The tokens of the prompts, rather too many than too few."""
        ...

    @property
    def tokens_out(self) -> int:
        """The most tokens of the answers."""
        ...

    @property
    def too_long(self) -> int:
        """How many memories do not fit into the context of the model, and cannot be read."""
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

    def pull(self, source: object, *, collection: str | None = None, accept_deletions: bool = False) -> Pulled:
        """Copy the memories of open-source Mem0 into the store, or what has changed since the last time.

            done = client.engine.pull("/tmp/qdrant")
            print(done.added, done.changed, done.same, done.gone)

        `source` and `collection` are as for `Client.oss`. Copies of memories that the source has no longer are deleted,
        unless they are more than a fifth; `accept_deletions` deletes them even so. Memories of the store's own are never
        touched.

        Raises InputError if the source cannot be read to its end. Nothing is deleted then.
        """
        ...

    def report(self, export_id: str) -> Report:
        """Return which fields of a finished export were filled, which stayed empty, and why.

        Raises InputError if there is no such export or it is not finished yet.
        """
        ...

    def estimate(self, schema: Any, where: Where, *, instructions: str | None = None) -> Estimate:
        """Return what an export would ask of the engine's language model. Nothing is sent.

            print(client.engine.estimate(Profile, F.user_id == "alex"))

        Raises ConfigurationError if the engine has no language model, and SchemaError or FilterError if an argument cannot
        be used.
        """
        ...

    def progress(self, export_id: str) -> tuple[int, int | None] | None:
        """Return how many memories a running export has read with the language model, and how many it has to read.

        None if the export is not running in this process, or does not need the model.
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
