"""Standard output, which may have a small character set, and whose reader may leave early."""

from __future__ import annotations

import io
import os
import sys


def prepare() -> None:
    """Make standard output escape the characters that its encoding lacks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def say(text: str = "") -> None:
    """Print one line at once, control characters escaped.

    If nobody reads the output any more (`| head -1`), this and all further output is dropped. The run goes on, because
    it may have to clean up, and because its exit code and its JUnit file still count.
    """
    try:
        print(printable(text), flush=True)
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            print(f"standard output cannot be written: {error.strerror}", file=sys.stderr)
        # The interpreter flushes standard output once more at its end, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printable(text: str) -> str:
    """Return `text` with its control characters escaped: a deployment decides on parts of the output."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
