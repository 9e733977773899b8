"""Compares a running deployment with openapi.yaml: `python -m tests.contract.deployment --help`."""

from __future__ import annotations

import signal
import sys


def _main() -> int:
    # A cancelled CI job gets SIGTERM: clean up and report, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # Ctrl-C may come while the modules load.
        from tests.contract.deployment.command import main

        return main()
    except KeyboardInterrupt:
        print("could not run: it was interrupted: run it again", flush=True)
        return 2


if __name__ == "__main__":
    sys.exit(_main())
