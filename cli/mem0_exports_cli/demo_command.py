"""`mem0-exports demo`."""

from __future__ import annotations

from pathlib import Path

import click

from mem0_exports_cli.options import command
from mem0_exports_engine.extras import require


def add_to(parent: click.Group) -> None:
    """Add the command to a group."""
    command(parent, "demo", "mem0-exports demo", "mem0-exports demo --out results")(_demo)


@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="demo-output",
    show_default=True,
    metavar="FOLDER",
    help="The folder to write to; created if it does not exist.",
)
def _demo(out: Path) -> None:
    """Show example exports of sample memories.

    Imports memories of invented people and exports a profile, a timeline and a filtered list. Prints the code of each
    export with its result. The results and the SQLite file are written to a folder.
    """
    require("local", "this command")
    from mem0_exports_cli.demo import run  # noqa: PLC0415 -- an extra

    run(out)
