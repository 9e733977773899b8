"""The suites in the order in which they are run, and which files of them to run first for a change of which module.

The second is for speed alone. Whatever the first files do not catch goes through all suites.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final, NamedTuple


class Suite(NamedTuple):
    """Tests that are run together: those of a folder, or a command."""

    name: str
    paths: tuple[str, ...] = ()
    """What pytest is given."""
    command: tuple[str, ...] = ()
    """Arguments of Python, in the place of pytest."""
    reads: str | None = None
    """The only file that the outcome depends on; the suite is not run where another one was changed."""
    quick: bool = False
    """Whether it is run as a whole on the unchanged project, before anything is planted."""


SUITES: Final = (
    Suite("lint-spec", command=("tools/lint_spec.py",), reads="openapi.yaml", quick=True),
    Suite("drift", command=("tools/generate.py", "--check"), reads="openapi.yaml", quick=True),
    Suite("unit", ("tests/unit",), quick=True),
    Suite("conformance", ("tests/conformance",), quick=True),
    Suite("congruence", ("tests/congruence",), quick=True),
    Suite("properties", ("tests/properties",)),
    Suite("contract", ("tests/contract",)),
    Suite("deployment", ("tests/deployment",)),
    Suite("faults", ("tests/faults",)),
    Suite("durability", ("tests/durability",)),
)

_FILTERS: Final = ("tests/unit/test_filters.py", "tests/properties/test_filters_as_sql.py")

_FIRST: Final[dict[str, tuple[str, ...]]] = {
    "openapi.yaml": (
        "tests/unit/test_spec.py",
        "tests/unit/test_seed_operation.py",
        "tests/unit/test_engine.py",
        "tests/unit/test_published_contract.py",
    ),
    "exports/api": ("tests/unit/test_client.py",),
    "exports/flows": ("tests/unit/test_export_flows.py", "tests/unit/test_ledger.py"),
    "exports/handles": ("tests/unit/test_client.py",),
    "exports/ledger": ("tests/unit/test_ledger.py", "tests/faults/test_broken_off.py"),
    "exports/ledger_file": ("tests/unit/test_ledger.py",),
    "exports/resume": ("tests/unit/test_ledger.py", "tests/faults/test_broken_off.py"),
    "exports/spec": ("tests/unit/test_ledger.py", "tests/unit/test_client.py"),
    "filters/check": _FILTERS,
    "filters/fields": ("tests/unit/test_filters.py",),
    "filters/parse": _FILTERS,
    "filters/times": ("tests/unit/test_filters.py", "tests/properties/test_times.py"),
    "filters/tree": _FILTERS,
    "http/connection": (
        "tests/unit/test_drive.py",
        "tests/unit/test_client.py",
        "tests/conformance/test_requests.py",
        "tests/faults/test_calls.py",
    ),
    "http/deadlines": ("tests/unit/test_deadlines.py",),
    "http/driver": ("tests/unit/test_drive.py", "tests/congruence/test_client.py", "tests/faults/test_calls.py"),
    "http/flow": ("tests/unit/test_flow.py",),
    "http/operations": ("tests/unit/test_answers.py", "tests/unit/test_client.py", "tests/conformance"),
    "http/responses": ("tests/unit/test_answers.py", "tests/unit/test_flow.py"),
    "http/settings": ("tests/unit/test_flow.py",),
    "mem0_exports/client": ("tests/unit/test_client.py",),
    "mem0_exports/memories": ("tests/faults/test_options.py", "tests/faults/test_calls.py"),
    "schemas/describe": ("tests/unit/test_schemas.py",),
    "schemas/schema": ("tests/unit/test_schemas.py",),
    "mem0_exports_engine/access": ("tests/unit/test_access.py", "tests/unit/test_engine.py"),
    "mem0_exports_engine/clock": ("tests/unit/test_importer.py", "tests/properties/test_times.py"),
    "mem0_exports_engine/engine": ("tests/unit/test_engine.py", "tests/unit/test_app.py"),
    "mem0_exports_engine/importer": ("tests/unit/test_importer.py",),
    "mem0_exports_engine/json_text": ("tests/unit/test_hostile.py", "tests/unit/test_importer.py"),
    "mem0_exports_engine/loopback": ("tests/unit/test_access.py", "tests/unit/test_engine.py"),
    "mem0_exports_engine/operations": (
        "tests/unit/test_engine.py",
        "tests/unit/test_access.py",
        "tests/properties/test_pages.py",
        "tests/congruence/test_client.py",
    ),
    "mem0_exports_engine/refusals": ("tests/unit/test_engine.py", "tests/unit/test_access.py"),
    "offline/extractor": ("tests/unit/test_extract.py", "tests/properties/test_reports.py"),
    "offline/fit": ("tests/unit/test_extract.py", "tests/properties/test_reports.py"),
    "offline/lookup": ("tests/unit/test_extract.py", "tests/properties/test_reports.py"),
    "offline/records": (
        "tests/unit/test_extract.py",
        "tests/properties/test_reports.py",
        "tests/properties/test_long_exports.py",
    ),
    "offline/values": ("tests/unit/test_extract.py", "tests/properties/test_reports.py"),
    "server/app": ("tests/unit/test_app.py",),
    "server/slow_clients": ("tests/unit/test_app.py",),
    "sqlite/batches": ("tests/properties/test_long_exports.py",),
    "sqlite/database": (
        "tests/unit/test_store_errors.py",
        "tests/durability/test_two_engines.py",
        "tests/durability/test_two_servers.py",
    ),
    "sqlite/filters": ("tests/properties/test_filters_as_sql.py",),
    "sqlite/functions": ("tests/properties/test_filters_as_sql.py",),
    "sqlite/jobs": ("tests/unit/test_jobs.py", "tests/properties/test_job_states.py"),
    "sqlite/keys": ("tests/unit/test_access.py",),
    "sqlite/memories": (
        "tests/properties/test_times.py",
        "tests/unit/test_access.py",
        "tests/unit/test_importer.py",
        "tests/congruence/test_client.py",
    ),
    "store/rows": ("tests/unit/test_importer.py", "tests/properties/test_times.py", "tests/congruence/test_client.py"),
    "workers/run_job": (
        "tests/unit/test_jobs.py",
        "tests/properties/test_job_states.py",
        "tests/properties/test_long_exports.py",
    ),
    "workers/thread": ("tests/unit/test_jobs.py", "tests/properties/test_job_states.py"),
}
"""By the last two parts of a path, without the ending."""


def first_for(file: str, chosen: tuple[Suite, ...]) -> list[Suite]:
    """What is worth a look first where `file` was changed: some files of the chosen suites, by suite."""
    path = PurePosixPath(file)
    paths = _FIRST.get(file) or _FIRST.get(f"{path.parent.name}/{path.stem}", ())
    return [
        Suite(suite.name, mine)
        for suite in chosen
        if (mine := tuple(path for path in paths if suite.paths and f"{path}/".startswith(f"{suite.paths[0]}/")))
    ]
