"""Path and query parameters: routing, decoding, defaults, and what the log says of them."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_CONTRACT = "engine/mem0_exports_engine/contract.py"
_PARAMETERS = "engine/mem0_exports_engine/parameters.py"

MUTANTS: Final = (
    Mutant(
        "parameters.path-not-decoded",
        _PARAMETERS,
        "text = decoded(segments[name])",
        "text = segments[name]",
        "an id with a space or a slash is not found",
    ),
    Mutant(
        "parameters.default-not-filled-in",
        _PARAMETERS,
        "values[name] = parameter.default",
        "values.pop(name, None)",
        "a request without page and page_size fails",
    ),
    Mutant(
        "parameters.duplicate-accepted",
        _PARAMETERS,
        "if name in values:",
        "if name is values:",
        "of two contradictory values, one is silently ignored",
    ),
    Mutant(
        "parameters.template-before-literal",
        _CONTRACT,
        "key=lambda parts: [*map(is_parameter, parts)]",
        "key=lambda parts: [not is_parameter(part) for part in parts]",
        "an operation with a literal path cannot be reached",
    ),
    Mutant(
        "parameters.value-in-the-log",
        _CONTRACT,
        "            return match.path\n",
        "            return path\n",
        "ids and names of users are in the log, which promises to have none",
    ),
)
