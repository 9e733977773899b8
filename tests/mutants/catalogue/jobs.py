"""The engine: what becomes of jobs when workers pause, die or stop."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_RUN_JOB = "engine/mem0_exports_engine/workers/run_job.py"
_JOBS = "engine/mem0_exports_engine/store/sqlite/jobs.py"
_STORE = "engine/mem0_exports_engine/store/sqlite/database.py"
_WORKER = "engine/mem0_exports_engine/workers/thread.py"

MUTANTS: Final = (
    Mutant(
        "jobs.expires-a-moment-late",
        _JOBS,
        "conditions = [exports.c.project == project, exports.c.expires_us > clock.microseconds(now)]",
        "conditions = [exports.c.project == project, exports.c.expires_us >= clock.microseconds(now)]",
        "an export is found in the moment in which it is purged",
    ),
    Mutant(
        "jobs.oldest-with-these-filters",
        _JOBS,
        ".order_by(exports.c.seq.desc())",
        ".order_by(exports.c.seq)",
        "filters fetch last week's export",
    ),
    Mutant(
        "jobs.order-of-filters",
        _JOBS,
        "return sorted(map(_sorted, value), key=lambda item: json.dumps(item, sort_keys=True))",
        "return [*map(_sorted, value)]",
        "the same filters in another order find nothing",
    ),
    Mutant(
        "jobs.fence-ignored",
        _JOBS,
        '.where(exports.c.attempt == job.attempt, exports.c.state == "RUNNING")',
        '.where(exports.c.state == "RUNNING")',
        "a paused worker that wakes up writes into the job of another one",
    ),
    Mutant(
        "jobs.lost-not-counted",
        _JOBS,
        'sa.case((exports.c.state == "RUNNING", 1), else_=0)',
        'sa.case((exports.c.state == "FAILED", 1), else_=0)',
        "a job that kills its worker is tried for ever",
    ),
    Mutant(
        "jobs.handed-back-as-lost",
        _JOBS,
        'with self._fenced(job, state="PENDING", available_us=clock.microseconds(now)):',
        "with self._fenced(job, available_us=clock.microseconds(now)):",
        "five restarts of a server fail a job that nothing is wrong with",
    ),
    Mutant(
        "jobs.handed-back-for-later",
        _JOBS,
        'with self._fenced(job, state="PENDING", available_us=clock.microseconds(now)):',
        'with self._fenced(job, state="PENDING", available_us=_lease_end(now)):',
        "after a restart a job waits for a minute",
    ),
    Mutant(
        "jobs.parts-outlive-exports",
        _JOBS,
        "        connection.execute(sa.delete(parts).where(parts.c.export.in_(expired)))\n",
        "",
        "the store grows for ever",
    ),
    Mutant(
        "jobs.failed-without-reason",
        _JOBS,
        'state="FAILED", available_us=None, reason=reason, report=report)',
        'state="FAILED", available_us=None, report=report)',
        "nobody learns why, and clients take it for pending",
    ),
    Mutant(
        "jobs.lease-not-renewed",
        _RUN_JOB,
        "if self._now() - self._renewed >= ports.LEASE / 4:",
        "if self._now() - self._renewed >= 4 * ports.LEASE:",
        "a long job is taken over again and again",
    ),
    Mutant(
        "jobs.left-parts-stay",
        _RUN_JOB,
        "if job.attempt > 1:",
        "if job.attempt > 2:",
        "the second attempt meets the parts of the first one",
    ),
    Mutant(
        "jobs.fault-not-written-down",
        _RUN_JOB,
        'jobs.fail(job, f"internal error: {type(error).__name__}")',
        "pass",
        "a schema that the extractor stumbles over is pending for ever",
    ),
    Mutant(
        "jobs.writers-not-apart",
        _STORE,
        '"BEGIN IMMEDIATE" if write else "BEGIN"',
        '"BEGIN"',
        "two writers at once, and one of them gets a 503",
    ),
)
