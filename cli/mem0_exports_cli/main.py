"""The `mem0-exports` command."""

from __future__ import annotations

import argparse
import sys

from typing import TYPE_CHECKING

from mem0_exports._version import __version__
from mem0_exports.errors import ConfigurationError, Mem0ExportsError
from mem0_exports_cli import engine_commands
from mem0_exports_engine.ports import StoreError


if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 done, 1 not all could be done, 2 wrong use."""
    chosen = _parser().parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
    except Mem0ExportsError as error:
        failed = isinstance(error, StoreError) and not isinstance(error, ConfigurationError)
        print(f"mem0-exports: {'the store failed: ' if failed else ''}{error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"mem0-exports: {error.strerror or error}: {error.filename or ''}".rstrip(": "), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mem0-exports", description="Typed exports of memories from Mem0, and an embedded engine to run them on."
    )
    parser.add_argument("--version", action="version", version=f"mem0-exports {__version__}")
    engine_commands.add_to(parser.add_subparsers(title="commands", required=True, metavar="COMMAND"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
