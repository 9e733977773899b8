"""Check the environment variables that httpx reads: the proxies and the certificates for HTTPS.

httpx reads them when it opens a connection pool. A bad value would then raise an exception of httpx's or Python's own in
the middle of a call, often without the name of the variable.
"""

from __future__ import annotations

import ipaddress
import os
import re

from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from mem0_exports.errors import ConfigurationError


if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PORT: Final = 65535

_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
_SCHEMES: Final = frozenset({"http", "https", "socks5", "socks5h"})


def check_environment(load_certificates: Callable[[], object]) -> None:
    """Raise ConfigurationError if httpx cannot use a proxy or certificate variable. Names the variable and its value.

    `load_certificates` is called only if a variable says where they are; it raises OSError if they cannot be loaded.
    """
    excluded = [entry.strip() for entry in _value("no_proxy")[1].split(",")]
    if "*" not in excluded:  # with it, httpx ignores all the proxies
        for name in _PROXIES:
            variable, value = _value(name)
            if value:
                _check_proxy(variable, value)
        for entry in filter(None, excluded):
            _check_excluded(_value("no_proxy")[0], entry)
    _check_certificates(load_certificates)


def _value(name: str) -> tuple[str, str]:
    """Return the variable that is in force, and its value: the lower-case name comes first."""
    lower = os.environ.get(name)
    return (name, lower) if lower else (name.upper(), os.environ.get(name.upper(), ""))


def _check_proxy(variable: str, value: str) -> None:
    problem = None
    try:
        url = httpx.URL(value if "://" in value else f"http://{value}")
    except httpx.InvalidURL as error:
        problem = str(error)
    else:
        if url.scheme not in _SCHEMES:
            problem = f"its scheme must be one of {', '.join(sorted(_SCHEMES))}"
        elif not url.host:
            problem = "it has no host"
        elif not is_port(url.port):
            problem = f"its port must be from 1 to {MAX_PORT}"
        elif url.scheme.startswith("socks") and not _is_installed("socksio"):
            problem = "a SOCKS proxy needs the package socksio: pip install 'httpx[socks]'"
    if problem is not None:
        raise ConfigurationError(f"{variable}={_shown(value)} is not a proxy that can be used: {problem}")


def _check_excluded(variable: str, entry: str) -> None:
    problem = None
    try:
        host = f"[{entry}]" if _is_ipv6(entry) else entry
        httpx.URL(entry if "://" in entry else f"all://*{host}" if host == entry else f"all://{host}")
    except httpx.InvalidURL as error:
        problem = str(error)
    if problem is not None:
        bare = entry.strip("[]")
        instead = f"; write {bare}, without brackets" if _is_ipv6(bare) else ""
        raise ConfigurationError(f"{variable} has the entry {entry!r}, which is not a host{instead}: {problem}")


def _check_certificates(load: Callable[[], object]) -> None:
    variable = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"  # as httpx: the file comes first
    value = os.environ.get(variable)
    if not value:
        return
    problem = None
    if variable == "SSL_CERT_DIR" and not any(Path(each).is_dir() for each in value.split(os.pathsep)):
        problem = "it is not a folder"  # OpenSSL would load nothing from it, and say nothing
    try:
        load()
    except OSError as error:
        problem = str(error)
    if problem is not None:
        raise ConfigurationError(f"{variable}={value!r} has no certificates that can be loaded: {problem}")


def is_port(port: int | None) -> bool:
    """Return whether a URL can have this port; None is the default of its scheme."""
    return port is None or 1 <= port <= MAX_PORT


def _is_installed(module: str) -> bool:
    from importlib.util import find_spec  # noqa: PLC0415 -- only a SOCKS proxy needs it

    return find_spec(module) is not None


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text.partition("/")[0]).version == 6
    except ValueError:
        return False


def _shown(value: str) -> str:
    """Return the value for a message, without a user name and password."""
    return repr(re.sub(r"^([^/]*//)?[^/@]*@", r"\1***@", value))
