"""The optional packages that the engine needs, by the extra that installs them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final, Literal

from mem0_exports.errors import ConfigurationError


_PACKAGES: Final = {
    "local": ("sqlalchemy", "anyio", "orjson"),
    "server": ("sqlalchemy", "anyio", "orjson", "starlette", "uvicorn"),
}


def require(extra: Literal["local", "server"], what: str) -> None:
    """Raise ConfigurationError, with the command that installs the extra, if a package that `what` needs is missing."""
    missing = [package for package in _PACKAGES[extra] if find_spec(package) is None]
    if missing:
        raise ConfigurationError(
            f'{what} needs {", ".join(missing)}, not installed here; run: pip install "mem0-exports[{extra}]"'
        )
