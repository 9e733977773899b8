"""The entry point of the `mem0-exports` command line."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import warnings

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from mem0_exports.errors import ConfigurationError, ExportWarning, FilterWarning, Mem0ExportsError
from mem0_exports_cli import exit_codes
from mem0_exports_cli.names import COMMAND, COMPLETE
from mem0_exports_engine.failures import StoreError


if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; `exit_codes` has their meanings.

    Args:
        arguments: the command and its options. The default is the command line of the process.

    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may be unable to show every letter of a memory
            stream.reconfigure(errors="backslashreplace")
    missing = [package for package in ("click", "rich") if find_spec(package) is None]
    if missing:
        _say(f'the command line needs {", ".join(missing)}; install it with: pip install "mem0-exports[cli]"')
        return exit_codes.FAILED
    try:
        return _run(arguments)
    except BrokenPipeError:
        return _after_broken_pipe()
    except Mem0ExportsError as error:
        failed = isinstance(error, StoreError) and not isinstance(error, ConfigurationError)
        _say(f"{'the store failed: ' if failed else ''}{error}")
        return exit_codes.code_of(error)
    except OSError as error:
        _say(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
        return exit_codes.FAILED
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED


def _run(arguments: Sequence[str] | None) -> int:
    import click  # noqa: PLC0415 -- an extra

    from click.shell_completion import shell_complete  # noqa: PLC0415

    from mem0_exports_cli.commands import mem0_exports  # noqa: PLC0415 -- needs click

    asked = os.environ.get(COMPLETE)
    if asked:  # the shell wants to complete a line
        return shell_complete(mem0_exports, {}, COMMAND, COMPLETE, asked)
    try:
        with warnings.catch_warnings():
            for kind in (ExportWarning, FilterWarning):
                warnings.simplefilter("always", kind)
            warnings.showwarning = _show_warning
            # Not `mem0_exports.main(...)`, which handles a closed pipe and Ctrl-C in ways of its own.
            given = [*(sys.argv[1:] if arguments is None else arguments)]
            with mem0_exports.make_context(COMMAND, given) as context:
                result = mem0_exports.invoke(context)
    except click.exceptions.Exit as done:  # after --help and --version
        return done.exit_code
    except click.exceptions.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        _say(error.format_message())
        if isinstance(error, click.UsageError) and error.ctx is not None:
            print(f"Try '{error.ctx.command_path} --help'.", file=sys.stderr)
        return exit_codes.USAGE
    finally:
        sys.stdout.flush()  # as Python exits, it would be too late to handle an error
    return result if isinstance(result, int) else exit_codes.DONE


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, ExportWarning | FilterWarning):
        _say(f"warning: {message}")
    else:  # from the user's own code
        _say(f"{category.__name__}: {message}")


_FOR_A_SHELL: Final = (
    (re.compile(r"client\.entities\.list\(\)"), "'mem0-exports entities list'"),
    (re.compile(r"client\.exports\.get\('([^']*)', Model\)\.result\(timeout=\.\.\.\)"), r"mem0-exports export wait \1"),
    (re.compile(r"see outcome\.warning"), "see 'warning' in their records"),
    (re.compile(r'Ledger\(\.\.\., on_unknown="ask_again"\)'), "--on-unknown ask_again"),
    (re.compile(r"Ledger\(\.\.\., new_key=True\)"), "--new-key"),
)
"""What messages for programs say, and what it is at a shell."""


def _say(text: str) -> None:
    for pattern, words in _FOR_A_SHELL:
        text = pattern.sub(words, text)
    print(f"mem0-exports: {text}", file=sys.stderr)


def _after_broken_pipe() -> int:
    """Return the exit code of a process that SIGPIPE has ended, and let nothing more be written to standard output.

    Python flushes standard output once more as it exits, and would report the error that was just handled.
    """
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exit_codes.BROKEN_PIPE


if __name__ == "__main__":
    sys.exit(main())
