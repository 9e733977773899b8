"""What can go wrong with a call of a language model, by what helps."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from mem0_exports_engine.extract.llm.usage import Usage


Kind: TypeAlias = Literal["too_long", "invalid", "refused", "busy", "concurrency", "fatal", "budget"]
"""
- too_long: prompt or answer do not fit; fewer memories at once help;
- invalid: the answer is no JSON of the wanted shape; asking once more with another seed can help;
- refused: the model does not want to answer, or the service does not want this request;
- busy: the service is overloaded or out of reach; waiting helps;
- concurrency: too many calls at the same time;
- fatal: no call will succeed, as with a key that is refused;
- budget: the export has used up its calls or tokens.
"""

FINAL: Final[frozenset[str]] = frozenset({"fatal", "budget"})
"""After these, no further call is made."""

OF_ANSWERS: Final[frozenset[str]] = frozenset({"too_long", "invalid", "refused"})
"""These are answers: the call was carried out, and would have the same outcome again."""


class CallFailed(Exception):
    """A call has brought no usable answer. The message says why, and contains nothing of a memory."""

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        retry_after: float | None = None,
        usage: Usage | None = None,
        refused_words: str | None = None,
    ) -> None:
        """Create the error. `refused_words` is set if the form of the request can be why it was refused."""
        super().__init__(message)
        self.kind: Kind = kind
        self.retry_after = retry_after
        self.usage = usage or Usage()
        self.refused_words = refused_words
