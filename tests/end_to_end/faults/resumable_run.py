"""A bulk run with a ledger in a process of its own, to be killed: python -m tests.end_to_end.faults.resumable_run URL LEDGER COUNT POLICY

Prints the statuses of all outcomes as JSON, if it lives to the end.
"""

from __future__ import annotations

import json
import sys

from mem0_exports import Ledger
from tests.end_to_end.faults.bulk_run import run
from tests.support.patience import patient


def main() -> None:
    """Run once."""
    url, path, count, on_unknown = sys.argv[1:]
    with Ledger(path, on_unknown=on_unknown) as ledger:  # type: ignore[arg-type]
        outcomes = run(url, int(count), concurrency=8, ledger=ledger, timeout=patient(60))
    print(json.dumps([[outcome.request.tag, outcome.status, outcome.lost_answers] for outcome in outcomes]))


if __name__ == "__main__":
    main()
