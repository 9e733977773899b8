"""Who gets in, and into which project. Keys are kept as digests; what is compared is compared in constant time.

A key reads `mx-<id>-<secret>`. The id finds the row and is no secret; the secret is 256 random bits, so that a plain
SHA-256 of the key gives nothing away.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import sqlalchemy as sa

from mem0_exports.api_key import usable_key
from mem0_exports.errors import ConfigurationError, InputError
from mem0_exports_engine import clock
from mem0_exports_engine.store.sqlite.tables import HOME, keys


if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mem0_exports_engine.store.sqlite.database import Store

_PROJECT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY: Final = re.compile(r"mx-([0-9a-f]{8})-[A-Za-z0-9_-]{43}")
_NOBODY: Final = b"\0" * 32
"""The digest of no key, to compare with where there is none."""


class Key(NamedTuple):
    """What is known of a key. The key itself is known to whoever it was given to."""

    id: str
    project: str
    name: str
    created_at: str
    revoked_at: str | None


class Everybody:
    """Lets every request in, and all of them into one project: for a store in one's own process."""

    def __init__(self, project: str = HOME) -> None:
        self.project = checked_project(project)

    def project_of(self, _headers: Mapping[str, str]) -> str | None:
        """The project."""
        return self.project


class Keys:
    """The keys of a store, and one more that whoever starts a server may have set.

    A store that never had a key lets everybody into the project "local", as does a server without one: that is for
    servers which only this machine reaches.
    """

    def __init__(self, store: Store, api_key: str | None = None) -> None:
        self._store = store
        self._own = None if api_key is None else _digest(usable_key(api_key))

    @property
    def needed(self) -> bool:
        """Whether requests need a key."""
        if self._own is not None:
            return True
        with self._store.read() as connection:
            return connection.execute(sa.select(keys.c.id).limit(1)).first() is not None

    def project_of(self, headers: Mapping[str, str]) -> str | None:
        """The project that a request with these headers opens, or None."""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        digest = _digest(key)
        own = self._own is not None and hmac.compare_digest(digest, self._own)
        found = _KEY.fullmatch(key)
        row = None
        if found is not None:
            with self._store.read() as connection:
                row = connection.execute(
                    sa.select(keys.c.project, keys.c.digest).where(keys.c.id == found[1], keys.c.revoked_us.is_(None))
                ).first()
        stored = hmac.compare_digest(digest, _NOBODY if row is None else row.digest)
        if scheme == "Token" and stored and row is not None:
            return str(row.project)
        if scheme == "Token" and own:
            return HOME
        return HOME if not self.needed and from_this_machine(headers) else None


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


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def checked_project(name: str) -> str:
    """`name`, if a project may be called so; InputError otherwise."""
    if not isinstance(name, str) or not _PROJECT.fullmatch(name):
        raise InputError(
            f"a project is named with up to 64 letters, digits, dots, hyphens and underscores, got {name!r}",
            field="project",
        )
    return name


def create(store: Store, project: str, name: str, now: datetime) -> tuple[Key, str]:
    """Make a key for a project. Returns it with its text, which is kept nowhere."""
    key_id = secrets.token_hex(4)
    text = f"mx-{key_id}-{secrets.token_urlsafe(32)}"
    row = {
        "id": key_id,
        "project": checked_project(project),
        "name": name,
        "digest": _digest(text),
        "created_us": clock.microseconds(now),
    }
    with store.write() as connection:
        connection.execute(sa.insert(keys), row)
    return Key(key_id, project, name, clock.text_at(clock.microseconds(now)), None), text


def listed(store: Store) -> list[Key]:
    """All keys, the oldest first."""
    query = sa.select(keys).order_by(keys.c.created_us, keys.c.id)
    with store.read() as connection:
        return [
            Key(
                row.id,
                row.project,
                row.name,
                clock.text_at(row.created_us),
                None if row.revoked_us is None else clock.text_at(row.revoked_us),
            )
            for row in connection.execute(query)
        ]


def revoke(store: Store, key_id: str, now: datetime) -> None:
    """Let a key open nothing any more, at once; ConfigurationError where there is none that does."""
    with store.write() as connection:
        done = connection.execute(
            sa.update(keys)
            .where(keys.c.id == key_id, keys.c.revoked_us.is_(None))
            .values(revoked_us=clock.microseconds(now))
        )
    if done.rowcount == 0:
        raise ConfigurationError(f"there is no key {key_id!r} that is good; `mem0-exports keys list` has their ids")
