"""API keys: what one may look like. A key is never part of a message."""

from __future__ import annotations

from mem0_exports.errors import ConfigurationError


def usable_key(key: str) -> str:
    """`key`, if a header can carry it; ConfigurationError otherwise."""
    if not key or not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigurationError(
            "the API key is empty or has a character that no key has (a space, a line break, or not ASCII); was it "
            "pasted whole?"
        )
    return key
