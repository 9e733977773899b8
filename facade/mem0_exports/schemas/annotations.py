"""Annotations that say where the value of a field comes from. The embedded engine follows them exactly.

    city: Annotated[str | None, From.metadata("home_town")] = None

They are sent in the JSON Schema as `x-mem0-source`, which the Platform's language model can read as a hint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, get_args


if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler

KEY: Final = "x-mem0-source"

NAMES: Final = "x-mem0-names"
"""The keyword with all names of a property, for a field with AliasChoices. The engine looks each of them up, in order."""

TUPLE: Final = "x-mem0-tuple"
"""The keyword of an object whose values may be stored as a list, in the order of its properties: a NamedTuple."""

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
    """The source of a value: a kind ("metadata", "memory", "category", "text" or "count") and a name, "" for the last two."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}" if self.name else self.kind


class From:
    """Says where the value of a field comes from, inside `Annotated[...]`. Create one with the methods below.

    class Profile(BaseModel):
        city: Annotated[str | None, From.metadata("home_town")] = None
        memories: Annotated[int, From.count()]
    """

    __slots__ = ("_source",)

    def __init__(self, source: Source) -> None:
        self._source = source

    @staticmethod
    def metadata(key: str) -> From:
        """Take the value of this metadata key, with exactly this spelling."""
        return From(Source("metadata", key))

    @staticmethod
    def memory(field: MemoryField) -> From:
        """Take one of the memory's own fields: its text (`memory`), `created_at`, `run_id` and so on."""
        return From(Source("memory", field))

    @staticmethod
    def category(name: str) -> From:
        """Take the text of memories that have this category, ignoring case."""
        return From(Source("category", name))

    @staticmethod
    def count() -> From:
        """Take the number of memories that the export was made from. Only for a top-level field."""
        return From(Source("count", ""))

    @staticmethod
    def text() -> From:
        """Read the value out of the texts of memories, with a language model, even if metadata have one."""
        return From(Source("text", ""))

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Add the annotation to the JSON Schema of the field. Pydantic calls this."""
        kind, name = self._source
        return {**handler(core_schema), KEY: {kind: name} if name else {kind: True}}

    def __repr__(self) -> str:
        kind, name = self._source
        return f"From.{kind}({name!r})" if name else f"From.{kind}()"


def source_of(node: Mapping[str, Any]) -> Source | None:
    """Return the annotation of a schema, or None if it has none; raise ValueError if it is malformed."""
    annotation = node.get(KEY)
    if annotation is None:
        return None
    if isinstance(annotation, Mapping) and len(annotation) == 1:
        ((kind, name),) = annotation.items()
        if kind in {"count", "text"} and name is True:
            return Source(kind, "")
        if isinstance(name, str) and name and kind in {"metadata", "category"}:
            return Source(kind, name)
        if kind == "memory" and name in MEMORY_FIELDS:
            return Source(kind, name)
    raise ValueError(
        f'{KEY} must be {{"metadata": key}}, {{"memory": field}}, {{"category": name}}, {{"text": true}} or {{"count": true}}, '
        f"got {annotation!r}"
    )


def names_of(node: Mapping[str, Any]) -> list[str]:
    """Return the other names of a property, or [] if it has none; raise ValueError if the keyword is malformed."""
    if NAMES not in node:
        return []
    names = node[NAMES]
    if isinstance(names, list) and names and all(isinstance(name, str) and name for name in names):
        return names
    raise ValueError(f"{NAMES} must be a list of names, got {names!r}")


def check_sources(schema: Any) -> None:
    """Raise ValueError, with the JSON pointer, for the first malformed annotation in a schema."""
    for pointer, node in _nodes(schema, ""):
        try:
            source_of(node)
            names_of(node)
        except ValueError as error:
            raise ValueError(f"{pointer or '/'}: {error}") from None


def _nodes(value: Any, pointer: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Iterate over the sub-schemas that can have an annotation: those in properties, items, $defs and unions."""
    if not isinstance(value, Mapping):
        return
    yield pointer, value
    for key in ("properties", "$defs", "definitions"):
        named = value.get(key)
        if isinstance(named, Mapping):
            for name, subschema in named.items():
                yield from _nodes(subschema, f"{pointer}/{key}/{name}")
    for key in ("anyOf", "oneOf", "allOf"):
        branches = value.get(key)
        if isinstance(branches, list):
            for index, branch in enumerate(branches):
                yield from _nodes(branch, f"{pointer}/{key}/{index}")
    yield from _nodes(value.get("items"), f"{pointer}/items")
