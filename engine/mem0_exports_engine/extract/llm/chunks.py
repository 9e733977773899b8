"""Pack memories into chunks that fit into the context of a model, together with the schema and the answer.

The same memories always give the same chunks, whatever the service has said so far: only then are the answers of an
earlier export found again. Memories are packed oldest first, so a new memory changes only the last chunk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mem0_exports_engine.extract.llm import prompts
from mem0_exports_engine.extract.llm.findings import Memory
from mem0_exports_engine.extract.llm.questions import asked, tokens_of
from mem0_exports_engine.extract.llm.request import Request


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mem0_exports.llm import LLM
    from mem0_exports_engine.extract.llm.questions import Node
    from mem0_exports_engine.ports import MemoryBatch

_FRAME: Final = 120
"""Tokens for what is around the memories and the messages."""

_MIN_ROOM: Final = 100
"""The fewest tokens for memories with which it is worth asking at all."""

_MIN_ANSWER: Final = 256


class Form(NamedTuple):
    """What is asked for in a chunk."""

    nodes: Mapping[str, Node]
    schema: bytes
    start: str
    """The part of the prompt before the memories."""
    answer: int
    """The most tokens of the answer."""
    room: int
    """The most bytes of the lines with memories; 0 if the schema does not leave enough."""


class Chunk(NamedTuple):
    """Memories that are read together."""

    form: Form
    memories: Sequence[Memory]

    def request(self) -> Request:
        """Return the request for this chunk."""
        lines = [prompts.line(label, each.day, each.text) for label, each in enumerate(self.memories, 1)]
        return Request(prompts.reading(self.form.start, lines), self.form.schema, self.form.answer)

    def halves(self) -> tuple[Chunk, Chunk]:
        """Return the chunk in two parts."""
        middle = len(self.memories) // 2
        return self._replace(memories=self.memories[:middle]), self._replace(memories=self.memories[middle:])


class TooLong(NamedTuple):
    """A memory that does not fit into the context even alone, or any memory if the schema leaves no room."""

    memory: Memory
    why: str


def form_of(nodes: Mapping[str, Node], instructions: str | None, llm: LLM) -> Form:
    """Return what is asked for these properties."""
    schema = asked(nodes)
    start = prompts.rules(schema, instructions)
    answer = min(llm.context // 3, max(_MIN_ANSWER, tokens_of(nodes)))
    # The schema is sent twice: in the prompt, and for the grammar, which does not count.
    left = llm.context - answer - _FRAME - prompts.tokens_of(len(start.encode()))
    return Form(nodes, schema, start, answer, int(left * prompts.BYTES_PER_TOKEN) if left >= _MIN_ROOM else 0)


class Packing:
    """Packs the memories of an export. What is asked for can grow from one memory to the next."""

    def __init__(self, llm: LLM, instructions: str | None) -> None:
        self._llm = llm
        self._instructions = instructions
        self._forms: dict[tuple[str, ...], Form] = {}

    def chunks(
        self, batches: Iterable[MemoryBatch], open_nodes: Mapping[str, Node], later: Mapping[str, dict[str, Node]]
    ) -> Iterator[Chunk | TooLong]:
        """Yield the chunks, and each memory that fits into none.

        `open_nodes` are asked for from the first memory on; `later` has, for the id of a memory, those that are asked for
        only after it.
        """
        nodes = dict(open_nodes)
        packed: list[Memory] = []
        size = order = 0
        for batch in batches:
            columns = batch.columns(["id", "created_at", "memory"])
            for memory_id, created, text in zip(*columns.values(), strict=True):
                memory = Memory(order, memory_id, created[:10], text)
                order += 1
                if nodes and memory.text.strip():
                    form = self._form(nodes)
                    length = len(prompts.line(1000, memory.day, memory.text).encode()) + 1
                    if length > form.room:
                        yield TooLong(memory, _why(form, self._llm.context))
                    else:
                        if size + length > form.room:
                            yield Chunk(form, packed)
                            packed, size = [], 0
                        packed.append(memory)
                        size += length
                if memory.id in later:
                    if packed:
                        yield Chunk(self._form(nodes), packed)
                    packed, size = [], 0
                    nodes |= later[memory.id]
        if packed:
            yield Chunk(self._form(nodes), packed)

    def _form(self, nodes: Mapping[str, Node]) -> Form:
        names = tuple(nodes)
        if names not in self._forms:
            self._forms[names] = form_of(dict(nodes), self._instructions, self._llm)
        return self._forms[names]


def _why(form: Form, context: int) -> str:
    if not form.room:
        return f"the schema alone is too long for a context of {context} tokens (context)"
    return f"the memory is too long for a context of {context} tokens (context)"
