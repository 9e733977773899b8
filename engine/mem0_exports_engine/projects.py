"""Projects: the memories and exports of one project are nobody else's. A key opens one of them."""

from __future__ import annotations

import re

from typing import Final

from mem0_exports.errors import InputError


DEFAULT_PROJECT: Final = "local"
"""The project of whoever needs no key, and of whatever was stored before there were projects."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def checked_project(name: str) -> str:
    """Return `name`, if a project may be called so; InputError otherwise."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"a project is named with up to 64 letters, digits, dots, hyphens and underscores, got {name!r}",
            field="project",
        )
    return name
