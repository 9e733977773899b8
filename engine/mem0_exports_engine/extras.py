"""Check that the packages of an extra, such as `mem0-exports[server]`, are installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final, Literal

from mem0_exports.errors import ConfigurationError


_PACKAGES: Final = {
    "local": ("anyio", "orjson"),
    "server": ("anyio", "orjson", "starlette", "uvicorn"),
    "postgres": ("psycopg",),
}


def require(extra: Literal["local", "server", "postgres"], what: str) -> None:
    """Raise ConfigurationError if a package that `what` needs is missing. Its message says how to install the extra."""
    missing = [package for package in _PACKAGES[extra] if find_spec(package) is None]
    if missing:
        raise ConfigurationError(
            f'{what} needs {", ".join(missing)}, not installed here; run: pip install "mem0-exports[{extra}]"'
        )
