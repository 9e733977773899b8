"""The entry point of the `mem0-exports` command line."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys

from typing import TYPE_CHECKING

from mem0_exports._version import __version__
from mem0_exports.errors import ConfigurationError, Mem0ExportsError
from mem0_exports_cli import engine_commands
from mem0_exports_engine.failures import StoreError


if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0: success. 1: an error, or an import that rejected lines. 130: interrupted with Ctrl-C. 141: the reader of the
    output has closed it, as `head` does. Invalid arguments raise SystemExit(2).

    Args:
        arguments: the command and its options. The default is the command line of the process.

    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may be unable to show every letter of a memory
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(arguments)
    except BrokenPipeError:
        return _after_broken_pipe()
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


def _run(arguments: Sequence[str] | None) -> int:
    try:
        options = _parser().parse_args(arguments)
        code: int = options.run(options)
        return code
    finally:
        sys.stdout.flush()  # as Python exits, it would be too late to handle an error


def _after_broken_pipe() -> int:
    """Return the exit code of a process that SIGPIPE has ended, and let nothing more be written to standard output.

    Python flushes standard output once more as it exits, and would report the error that was just handled.
    """
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + 13


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mem0-exports",
        description="Run the embedded engine of mem0-exports: an export service for memories that needs no Mem0 account, "
        "no API key and no network, and keeps everything in one SQLite file.",
        epilog="Run 'mem0-exports COMMAND --help' to see what a command does and its options.",
    )
    parser.add_argument("--version", action="version", version=f"mem0-exports {__version__}")
    engine_commands.add_to(parser.add_subparsers(title="commands", required=True, metavar="COMMAND"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
