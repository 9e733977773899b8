"""Where a value comes from: annotations in a schema, which the embedded engine obeys exactly.

    city: Annotated[str | None, From.metadata("home_town")] = None

They travel in the JSON Schema under `x-mem0-source`, where the Platform's language model can read them as a hint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, get_args


if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler

KEY: Final = "x-mem0-source"

MemoryField: TypeAlias = Literal[
    "id",
    "memory",
    "user_id",
    "agent_id",
    "app_id",
    "run_id",
    "metadata",
    "categories",
    "created_at",
    "updated_at",
    "expiration_date",
]

MEMORY_FIELDS: Final[tuple[str, ...]] = get_args(MemoryField)


class Source(NamedTuple):
    """A kind (metadata, memory, category or count) and its name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}" if self.name else self.kind


class From:
    """Says where a value comes from, inside `Annotated[...]`. Make one with the methods below."""

    __slots__ = ("_source",)

    def __init__(self, source: Source) -> None:
        self._source = source

    @staticmethod
    def metadata(key: str) -> From:
        """The metadata key of this name, spelled exactly so."""
        return From(Source("metadata", key))

    @staticmethod
    def memory(field: MemoryField) -> From:
        """A memory's own field: its text (`memory`), `created_at`, `run_id` and so on."""
        return From(Source("memory", field))

    @staticmethod
    def category(name: str) -> From:
        """The text of memories of this category, upper and lower case being the same."""
        return From(Source("category", name))

    @staticmethod
    def count() -> From:
        """How many memories the export is made of. For a property of the root."""
        return From(Source("count", ""))

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """What Pydantic asks annotations for."""
        kind, name = self._source
        return {**handler(core_schema), KEY: {kind: name} if name else {kind: True}}

    def __repr__(self) -> str:
        kind, name = self._source
        return f"From.{kind}({name!r})" if name else f"From.{kind}()"


def source_of(node: Mapping[str, Any]) -> Source | None:
    """The annotation of a schema, if it has one; ValueError where it says nothing that can be obeyed."""
    written = node.get(KEY)
    if written is None:
        return None
    if isinstance(written, Mapping) and len(written) == 1:
        ((kind, name),) = written.items()
        if kind == "count" and name is True:
            return Source("count", "")
        if isinstance(name, str) and name and kind in {"metadata", "category"}:
            return Source(kind, name)
        if kind == "memory" and name in MEMORY_FIELDS:
            return Source(kind, name)
    raise ValueError(
        f'{KEY} is {{"metadata": key}}, {{"memory": field}}, {{"category": name}} or {{"count": true}}, not {written!r}'
    )


def check_sources(schema: Any) -> None:
    """ValueError, with the JSON pointer, for the first annotation that cannot be obeyed."""
    for pointer, node in _nodes(schema, ""):
        try:
            source_of(node)
        except ValueError as error:
            raise ValueError(f"{pointer or '/'}: {error}") from None


def _nodes(value: Any, pointer: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The sub-schemas in which an annotation may stand: below properties, items, $defs, definitions and unions."""
    if not isinstance(value, Mapping):
        return
    yield pointer, value
    for key in ("properties", "$defs", "definitions"):
        named = value.get(key)
        if isinstance(named, Mapping):
            for name, each in named.items():
                yield from _nodes(each, f"{pointer}/{key}/{name}")
    for key in ("anyOf", "oneOf", "allOf"):
        listed = value.get(key)
        if isinstance(listed, list):
            for index, each in enumerate(listed):
                yield from _nodes(each, f"{pointer}/{key}/{index}")
    yield from _nodes(value.get("items"), f"{pointer}/items")
