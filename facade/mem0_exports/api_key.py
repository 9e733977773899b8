"""Check API keys. No message ever contains a key."""

from __future__ import annotations

from mem0_exports.errors import ConfigurationError


def usable_key(key: str) -> str:
    """Return `key` if an HTTP header can carry it; raise ConfigurationError otherwise."""
    if not isinstance(key, str):
        how = "; pass api_key.get_secret_value()" if hasattr(key, "get_secret_value") else ""
        raise ConfigurationError(f"api_key must be a string, got {type(key).__name__}{how}")
    if not key or not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigurationError(
            "the API key is empty or has a character that no key contains (a space, a line break, or a non-ASCII "
            "character); copy it again, whole and without quotes"
        )
    return key
