"""Bugs in the engine's jobs: leases, crashes, hand-backs and expiry."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_RUN_JOB = "engine/mem0_exports_engine/workers/run_job.py"
_LEASE = "engine/mem0_exports_engine/workers/lease.py"
_CLOCK = "engine/mem0_exports_engine/clock.py"
_JOBS = "engine/mem0_exports_engine/store/sqlite/jobs.py"
_STORE = "engine/mem0_exports_engine/store/sqlite/database.py"
_WORKER = "engine/mem0_exports_engine/workers/thread.py"

MUTANTS: Final = (
    Mutant(
        "jobs.cancelled-job-goes-on",
        _LEASE,
        "return self._lost or self._stop.cancelled == self._job.id",
        "return self._lost",
        "a cancelled export keeps the worker busy until its lease is renewed",
    ),
    Mutant(
        "jobs.cancel-of-a-finished-export",
        _JOBS,
        "f\"WHERE {_MINE} AND state IN ('PENDING', 'RUNNING')\"",
        'f"WHERE {_MINE}"',
        "cancelling a finished export throws its result away",
    ),
    Mutant(
        "jobs.delete-of-another-project",
        _JOBS,
        '_MINE: Final = "project = ? AND id = ?',
        '_MINE: Final = "? IS NOT NULL AND id = ?',
        "a key can cancel and delete the exports of other projects",
    ),
    Mutant(
        "jobs.parts-of-deleted-exports-stay",
        _JOBS,
        "        self._delete_parts(self._database.write, (_OF_EXPORT, (seq, export_id)))\n        with",
        "        with",
        "the file keeps the results of deleted exports for good, and gives them to others",
    ),
    Mutant(
        "jobs.expiry-off-by-one",
        _JOBS,
        'condition, values = "project = ? AND expires_us > ?", (project',
        'condition, values = "project = ? AND expires_us >= ?", (project',
        "an export can still be fetched at the moment of its expiry",
    ),
    Mutant(
        "jobs.oldest-with-these-filters",
        _JOBS,
        "WHERE {condition} ORDER BY seq DESC LIMIT 1",
        "WHERE {condition} ORDER BY seq LIMIT 1",
        "getting an export by filters returns the oldest one",
    ),
    Mutant(
        "jobs.order-of-filters",
        _JOBS,
        "return sorted(map(_sorted, value), key=lambda item: json.dumps(item, sort_keys=True))",
        "return [*map(_sorted, value)]",
        "the same filters in another order do not find the export",
    ),
    Mutant(
        "jobs.fence-ignored",
        _JOBS,
        '_FENCE: Final = "seq = ? AND id = ? AND attempt = ? AND',
        '_FENCE: Final = "seq = ? AND id = ? AND attempt >= ? AND',
        "a worker that wakes up after a pause overwrites the job of another one",
    ),
    Mutant(
        "jobs.crashes-not-counted",
        _JOBS,
        "lost + (state = 'RUNNING')",
        "lost + (state = 'FAILED')",
        "a job that kills its worker is tried forever",
    ),
    Mutant(
        "jobs.hand-back-counted-as-crash",
        _JOBS,
        'with self._fenced(job, state="PENDING", available_us=clock.microseconds(available), **moved):',
        "with self._fenced(job, available_us=clock.microseconds(available), **moved):",
        "five restarts of the server fail a healthy job",
    ),
    Mutant(
        "jobs.hand-back-delayed",
        _JOBS,
        'with self._fenced(job, state="PENDING", available_us=clock.microseconds(available), **moved):',
        'with self._fenced(job, state="PENDING", available_us=_lease_end(available), **moved):',
        "after a restart a job waits for the end of its lease",
    ),
    Mutant(
        "jobs.parts-outlive-exports",
        _JOBS,
        "        self._delete_parts(self._database.write, (expired, moment))\n",
        "",
        "expired exports with parts are never deleted",
    ),
    Mutant(
        "jobs.failed-without-reason",
        _JOBS,
        'state="FAILED", available_us=None, reason=reason, report=report)',
        'state="FAILED", available_us=None, report=report)',
        "a failed job has no reason, so clients consider it pending",
    ),
    Mutant(
        "jobs.lease-not-renewed",
        _LEASE,
        "pause = ports.LEASE.total_seconds() / 4",
        "pause = ports.LEASE.total_seconds() * 4",
        "a long job is taken over by other workers again and again",
    ),
    Mutant(
        "jobs.fenced-counted-as-crash",
        _RUN_JOB,
        "            jobs.not_crashed(job)\n",
        "            pass\n",
        "five servers that were slow fail a healthy job",
    ),
    Mutant(
        "jobs.statements-not-interrupted",
        _STORE,
        "driver.set_progress_handler(should_stop, _STEPS)",
        "pass",
        "a server cannot be stopped while a long query runs",
    ),
    Mutant(
        "jobs.no-wait-for-room",
        _RUN_JOB,
        "jobs.hand_back(job, now() + _PAUSE)",
        "jobs.hand_back(job, now())",
        "while the disk is full, one job keeps the worker from all others",
    ),
    Mutant(
        "jobs.clock-jumps-unnoticed",
        _CLOCK,
        "if abs(moved) > TOLERANCE.total_seconds():",
        "if moved > timedelta.max.total_seconds():",
        "a clock that is ahead for seconds deletes all exports",
    ),
    Mutant(
        "jobs.wait-for-the-clock",
        _JOBS,
        "(available_us <= :now OR available_us > :longest OR (state = 'PENDING' AND attempt = 0))",
        "available_us <= :now",
        "exports that were created while the clock was ahead wait until then",
    ),
    Mutant(
        "jobs.old-parts-kept",
        _RUN_JOB,
        "if job.attempt > 1:",
        "if job.attempt > 2:",
        "parts of the first attempt are mixed with those of the second",
    ),
    Mutant(
        "jobs.error-not-stored",
        _RUN_JOB,
        "lease.write(lambda: jobs.fail(job, reason))",
        "pass",
        "if the extractor crashes on a schema, the job is pending forever",
    ),
    Mutant(
        "store.replaced-file-used",
        _STORE,
        "if self._file is not None and _identity(self.path) != self._file:",
        "if self._file is not None and _identity(self.path) is None:",
        "memories are acknowledged that are in no file",
    ),
    Mutant(
        "store.parts-deleted-at-once",
        _JOBS,
        'WHERE {condition} LIMIT ?)",\n                    (*values, MAX_ROWS),',
        'WHERE {condition})",\n                    values,',
        "while a long export is deleted, nobody else can write",
    ),
    Mutant(
        "store.impatient-wait",
        _STORE,
        "        time.sleep(_LOOK)\n",
        "        time.sleep(50 * _LOOK)\n",
        "during an import, other writers wait for many seconds",
    ),
    Mutant(
        "store.statements-kept",
        "engine/mem0_exports_engine/store/sqlite/connections.py",
        "                self._has_large = True\n",
        "                pass\n",
        "a server at rest keeps hundreds of megabytes of values",
    ),
    Mutant(
        "store.left-open",
        _STORE,
        "            except BaseException:\n                if pool is not None:\n                    pool.close()\n                raise\n",
        "            except StoreBusy:\n                raise\n",
        "a store that cannot be opened leaves a connection open",
    ),
    Mutant(
        "store.damage-forgotten",
        _STORE,
        "            self._damage = failure\n",
        "            pass\n",
        "monitors do not notice that the file is damaged",
    ),
    Mutant(
        "jobs.write-lock-taken-late",
        _STORE,
        'driver.execute("BEGIN IMMEDIATE")',
        'driver.execute("BEGIN")',
        "of two concurrent writers, one gets a 503",
    ),
)
