"""The names by which shells know the command."""

from __future__ import annotations

from typing import Final


COMMAND: Final = "mem0-exports"

COMPLETE: Final = "_MEM0_EXPORTS_COMPLETE"
"""The variable with which the script of `mem0-exports completion` asks for completions."""
