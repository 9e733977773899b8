"""Run the `mem0-exports` command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.timeouts import scaled


def command(*arguments, cwd=None, **environment):
    """Run the command with these arguments and environment variables, and return the completed process."""
    run = [sys.executable, "-m", "mem0_exports_cli.main", *map(str, arguments)]
    return subprocess.run(
        run,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=scaled(60),
        env={**os.environ, **environment},
    )
