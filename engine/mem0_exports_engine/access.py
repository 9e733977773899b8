"""Who gets in, and into which project. Keys are kept as digests; what is compared is compared in constant time.

A key reads `mx-<id>-<secret>`. The id finds the row and is no secret; the secret is 256 random bits, so that a plain
SHA-256 of the key gives nothing away.
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
"""The digest of no key, to compare with where there is none: an unknown id takes as long as a wrong secret."""


class Access(Protocol):
    """Decides which project a request is about."""

    @property
    def own_project(self) -> str:
        """The project of whoever holds the engine itself, and so needs no key."""
        ...

    def project_of(self, headers: Mapping[str, str]) -> str | None:
        """Return the project that a request with these headers opens, or None where it opens none."""
        ...


class OpenAccess:
    """Lets every request in, and all of them into one project: for a store in one's own process."""

    def __init__(self, project: str = DEFAULT_PROJECT) -> None:
        self.own_project = checked_project(project)

    def project_of(self, headers: Mapping[str, str]) -> str | None:
        """Return the project."""
        return self.own_project


class KeyAccess:
    """The keys of a store, and one more that whoever starts a server may have set.

    A store that never had a key lets everybody into the project "local", as does a server without one: that is for
    servers which only this machine reaches.
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
        """Return the project that a request with these headers opens, or None where it opens none."""
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
    """Make a key for a project. Returns it with its text, which is kept nowhere."""
    key_id = secrets.token_hex(4)
    text = f"mx-{key_id}-{secrets.token_urlsafe(32)}"
    return keys.add(key_id, checked_project(project), name, _digest(text), now), text


def revoke_key(keys: KeyStore, key_id: str, now: datetime) -> None:
    """Let a key open nothing any more, at once; ConfigurationError where there is none that does."""
    if not keys.revoke(key_id, now):
        raise ConfigurationError(f"no active key {key_id!r}; `mem0-exports keys list` has their ids")
