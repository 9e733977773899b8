"""Run exports with a ledger in a process of its own, which a test can kill.

    python -m tests.end_to_end.faults.resumable_run URL LEDGER COUNT ON_UNKNOWN

At the end it prints the tag, the status and the number of lost answers of each outcome as JSON.
"""

from __future__ import annotations

import json
import sys

from mem0_exports import Ledger
from tests.end_to_end.faults.bulk_run import run
from tests.support.timeouts import scaled


def main() -> None:
    url, path, count, on_unknown = sys.argv[1:]
    with Ledger(path, on_unknown=on_unknown) as ledger:  # type: ignore[arg-type]
        outcomes = run(url, int(count), concurrency=8, ledger=ledger, timeout=scaled(60))
    print(json.dumps([[outcome.request.tag, outcome.status, outcome.lost_answers] for outcome in outcomes]))


if __name__ == "__main__":
    main()
