"""Recognize requests that come from this machine. As long as there is no API key, only these are answered."""

from __future__ import annotations

import ipaddress

from typing import TYPE_CHECKING
from urllib.parse import urlsplit


if TYPE_CHECKING:
    from collections.abc import Mapping


def from_this_machine(headers: Mapping[str, str]) -> bool:
    """Return whether a request without a key comes from a program on this machine, and not from a web page.

    A browser lets any web page send requests to this machine. The owner of a page can also point a host name of their
    own at this machine (DNS rebinding). The headers Host, Origin and Sec-Fetch-Site reveal both. A page cannot forge
    them.
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
