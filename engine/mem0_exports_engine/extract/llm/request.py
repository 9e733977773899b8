"""A question for a model, as it is before it is written for an endpoint."""

from __future__ import annotations

import hashlib

from typing import TYPE_CHECKING, NamedTuple

from mem0_exports_engine import json_text
from mem0_exports_engine.extract.llm.prompts import VERSION, Message, tokens_of


if TYPE_CHECKING:
    from mem0_exports.llm import LLM


class Request(NamedTuple):
    """A question for a model."""

    messages: list[Message]
    schema: bytes
    """The strict JSON Schema of the answer."""
    max_tokens: int
    """The most tokens of the answer."""
    shift: int = 0
    """Added to the seed, to get another answer."""

    @property
    def size(self) -> int:
        """About how many bytes the prompt has."""
        return sum(len(message["content"].encode()) for message in self.messages)

    @property
    def tokens_in(self) -> int:
        """About how many tokens the prompt has, rather too many than too few."""
        return tokens_of(self.size)

    def key(self, llm: LLM) -> bytes:
        """Return a digest of everything on which the answer depends."""
        parts = (
            llm.url,
            llm.model,
            llm.temperature,
            llm.seed + self.shift,
            dict(llm.extra),
            self.messages,
            self.max_tokens,
        )
        return hashlib.sha256(json_text.dump([VERSION, self.schema.decode(), *parts])).digest()
