"""All commands of `mem0-exports`."""

from __future__ import annotations

import click

from mem0_exports._version import __version__
from mem0_exports_cli import checks, demo_command, exports, keys, llm, many, pull, records, serve, transfer
from mem0_exports_cli.exit_codes import HELP
from mem0_exports_cli.options import group


mem0_exports: click.Group = group(
    None,
    "mem0-exports",
    "Get memories out of Mem0: into your own types, JSON, CSV or Parquet.\n\n"
    "The commands use the Mem0 Platform with the API key in MEM0_API_KEY, or with --store a file of the embedded engine, "
    "which needs no account, no key and no network. 'mem0-exports demo' shows what that looks like.",
    "mem0-exports demo",
    "mem0-exports export run models.py:Profile -u alex --store memories.db",
)
mem0_exports.epilog = (
    f"{mem0_exports.epilog}\n\nRun 'mem0-exports COMMAND --help' for the options and examples of a command.\n\n{HELP}"
)
click.version_option(__version__, message="mem0-exports %(version)s")(mem0_exports)
many.add_to(exports.add_to(mem0_exports))
for module in (records, transfer, pull, checks, serve, keys, llm, demo_command):
    module.add_to(mem0_exports)
