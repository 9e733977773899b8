"""`mem0-exports keys`: create, list and revoke the API keys of a store."""

from __future__ import annotations

import sys

from typing import TYPE_CHECKING

import click

from mem0_exports_cli.connection import check_store, opened
from mem0_exports_cli.options import command, group, one_line, project, store
from mem0_exports_engine import clock
from mem0_exports_engine.access import create_key, revoke_key


if TYPE_CHECKING:
    from pathlib import Path


def add_to(parent: click.Group) -> None:
    """Add the commands to a group."""
    keys = group(
        parent,
        "keys",
        "Create, list and revoke API keys of a store.\n\nOnce a key has been created, every request to 'mem0-exports "
        "serve' needs a key, even if all keys have been revoked.",
        "mem0-exports keys create --store memories.db --name alex",
        "mem0-exports keys list --store memories.db",
    )
    command(
        keys,
        "create",
        "mem0-exports keys create --store memories.db",
        "mem0-exports keys create --store memories.db --project helpdesk --name 'the bot'",
    )(_create)
    command(keys, "list", "mem0-exports keys list --store memories.db", "mem0-exports keys list")(_list)
    command(
        keys,
        "revoke",
        "mem0-exports keys revoke 1a2b3c4d --store memories.db",
        "mem0-exports keys revoke 1a2b3c4d",
    )(_revoke)


@store
@project
@click.option(
    "--name", callback=one_line, default="", metavar="TEXT", help="A label for the key, such as who will use it."
)
def _create(store: Path, project: str, name: str) -> None:
    """Create an API key for a project and print it.

    It is shown only once, because the store keeps only a digest.

    A key opens the memories and exports of its own project and no others. Projects do not have to be created.
    """
    with opened(store) as found:
        key, text = create_key(found.keys, project, name, clock.now())
    print(text)
    print(f"created key {key.id} for project {key.project}; save it now, it will not be shown again", file=sys.stderr)


@store
def _list(store: Path) -> None:
    """List the API keys of a store.

    Prints id, project, name, and when each was created and revoked (empty if active). The keys themselves cannot be
    shown.
    """
    check_store(store)
    with opened(store) as found:
        keys = found.keys.all()
    rows = [("id", "project", "name", "created", "revoked")]
    rows += [(key.id, key.project, key.name, key.created_at, key.revoked_at or "") for key in keys]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


@click.argument("key_id", metavar="ID")
@store
def _revoke(key_id: str, store: Path) -> None:
    """Revoke an API key.

    It takes effect immediately, also on running servers, and cannot be undone.

    ID is the 8 characters after 'mx-'; 'mem0-exports keys list' shows it too.
    """
    check_store(store)
    with opened(store) as found:
        revoke_key(found.keys, key_id, clock.now())
    print(f"revoked key {key_id}")
