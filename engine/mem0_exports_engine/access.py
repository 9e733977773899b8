"""Decide whether a request may use the engine, and which project it opens.

The store keeps only SHA-256 digests of API keys, and digests are compared in constant time. A key has the form
`mx-<id>-<secret>`. The id is not secret; it identifies the key in the store. The secret has 256 random bits and cannot
be guessed. A plain SHA-256 is therefore safe, without a salt or a slow password hash.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from typing import TYPE_CHECKING, Final, Protocol

from mem0_exports.api_key import usable_key
from mem0_exports.errors import ConfigurationError
from mem0_exports_engine.loopback import from_this_machine
from mem0_exports_engine.projects import DEFAULT_PROJECT, checked_project


if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mem0_exports_engine.ports import Key, KeyStore

_KEY: Final = re.compile(r"mx-([0-9a-f]{8})-[A-Za-z0-9_-]{43}")
_NO_DIGEST: Final = b"\0" * 32
"""The digest to compare with if the store has no key with the given id. No key has this digest.

The comparison makes an unknown id take as long as a wrong secret, so that timing does not reveal which ids exist.
"""


class Access(Protocol):
    """Decides which project a request opens."""

    @property
    def own_project(self) -> str:
        """The project for calls on the engine object itself, which need no API key."""
        ...

    def project_of(self, headers: Mapping[str, str]) -> str | None:
        """Return the project that a request with these headers opens, or None to refuse it."""
        ...


class OpenAccess:
    """Admit every request to the same project. An engine inside the client's own process uses this."""

    def __init__(self, project: str = DEFAULT_PROJECT) -> None:
        self.own_project = checked_project(project)

    def project_of(self, headers: Mapping[str, str]) -> str | None:
        """Return the project. The headers are ignored."""
        return self.own_project


class KeyAccess:
    """Admit requests that carry a key of the store, or the key that the server was started with.

    As long as there is no key at all, every request from this machine is admitted to the project "local".
    """

    own_project = DEFAULT_PROJECT

    def __init__(self, keys: KeyStore, api_key: str | None = None) -> None:
        self._keys = keys
        self._api_key = None if api_key is None else _digest(usable_key(api_key))

    @property
    def needs_key(self) -> bool:
        """Whether requests need a key."""
        return self._api_key is not None or not self._keys.is_empty()

    def project_of(self, headers: Mapping[str, str]) -> str | None:
        """Return the project that a request with these headers opens, or None to refuse it."""
        # Both comparisons take constant time and are made before any decision. A plain == or an early return would let
        # a client measure how much of its guess is right.
        scheme, _, key = headers.get("authorization", "").partition(" ")
        digest = _digest(key)
        is_api_key = self._api_key is not None and hmac.compare_digest(digest, self._api_key)
        match = _KEY.fullmatch(key)
        stored = None if match is None else self._keys.find(match[1])
        is_stored = hmac.compare_digest(digest, _NO_DIGEST if stored is None else stored[1])
        if scheme == "Token" and is_stored and stored is not None:
            return stored[0]
        if scheme == "Token" and is_api_key:
            return DEFAULT_PROJECT
        return DEFAULT_PROJECT if not self.needs_key and from_this_machine(headers) else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def create_key(keys: KeyStore, project: str, name: str, now: datetime) -> tuple[Key, str]:
    """Create a key for a project. Return its record and its text; only a digest of the text is stored."""
    key_id = secrets.token_hex(4)
    text = f"mx-{key_id}-{secrets.token_urlsafe(32)}"
    return keys.add(key_id, checked_project(project), name, _digest(text), now), text


def revoke_key(keys: KeyStore, key_id: str, now: datetime) -> None:
    """Revoke a key, effective immediately. Raises ConfigurationError if no active key has this id."""
    if not keys.revoke(key_id, now):
        raise ConfigurationError(f"no active key has the id {key_id!r}; `mem0-exports keys list` shows the ids")
