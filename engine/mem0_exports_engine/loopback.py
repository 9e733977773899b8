"""Which requests come from this machine: the only ones that are served where nobody needs a key."""

from __future__ import annotations

import ipaddress

from typing import TYPE_CHECKING
from urllib.parse import urlsplit


if TYPE_CHECKING:
    from collections.abc import Mapping


def from_this_machine(headers: Mapping[str, str]) -> bool:
    """Whether a request that carries no key was meant for a server on this machine, by somebody on this machine.

    Browsers let any web page send requests here, and a name of its owner's may lead here. They say so.
    """
    host = headers.get("host")
    try:
        name = "localhost" if host is None else urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if not is_loopback(name):
        return False
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return False
    return headers.get("origin") in {None, f"http://{host}"}


def is_loopback(host: str) -> bool:
    """Whether a name or an address leads to this machine and no other."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
