"""Recognize requests that come from this machine. Without an API key only these are served."""

from __future__ import annotations

import ipaddress

from typing import TYPE_CHECKING
from urllib.parse import urlsplit


if TYPE_CHECKING:
    from collections.abc import Mapping


def from_this_machine(headers: Mapping[str, str]) -> bool:
    """Return whether a request without a key comes from a program on this machine, and not from a web page.

    A browser lets any web page send requests to this machine, and the owner of a page can point a host name of theirs at
    it (DNS rebinding). The Host, Origin and Sec-Fetch-Site headers, which a page cannot forge, give both away.
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
    """Return whether a host name or IP address can only mean this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
