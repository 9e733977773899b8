"""Validate names of projects.

Each project has its own memories and exports, which other projects cannot see. An API key opens exactly one project.
"""

from __future__ import annotations

import re

from typing import Final

from mem0_exports.errors import InputError


DEFAULT_PROJECT: Final = "local"
"""The project of requests that need no key, and of everything stored before projects existed."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def checked_project(name: str) -> str:
    """Return `name` if it is a valid project name. InputError otherwise."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            "project must be 1 to 64 letters, digits, dots, hyphens or underscores and start with a letter or digit, "
            f"got {name!r}",
            field="project",
        )
    return name
