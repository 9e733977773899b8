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
    "facade/mem0_exports/memories.py": ("tests/faults/test_options.py", "tests/faults/test_calls.py"),
    "_answers": ("tests/unit/test_answers.py", "tests/unit/test_flow.py"),
    "_connection": (
        "tests/unit/test_drive.py",
        "tests/unit/test_client.py",
        "tests/conformance/test_requests.py",
        "tests/faults/test_calls.py",
    ),
    "_deadlines": ("tests/unit/test_deadlines.py",),
    "_drive": ("tests/unit/test_drive.py", "tests/congruence/test_client.py", "tests/faults/test_calls.py"),
    "_export_flows": ("tests/unit/test_export_flows.py", "tests/unit/test_ledger.py"),
    "_filter_documents": _FILTERS,
    "_filter_tree": _FILTERS,
    "_flow": ("tests/unit/test_flow.py",),
    "_ledger_file": ("tests/unit/test_ledger.py",),
    "_settings": ("tests/unit/test_flow.py",),
    "_times": ("tests/unit/test_filters.py", "tests/properties/test_times.py"),
    "_type_schemas": ("tests/unit/test_schemas.py",),
    "_wire": ("tests/unit/test_answers.py", "tests/unit/test_client.py", "tests/conformance"),
    "access": ("tests/unit/test_access.py", "tests/unit/test_engine.py"),
    "app": ("tests/unit/test_app.py",),
    "client": ("tests/unit/test_client.py",),
    "clock": ("tests/unit/test_importer.py", "tests/properties/test_times.py"),
    "engine": ("tests/unit/test_engine.py", "tests/unit/test_app.py"),
    "exports": ("tests/unit/test_client.py",),
    "fields": ("tests/unit/test_extract.py", "tests/properties/test_reports.py"),
    "filters": ("tests/unit/test_filters.py",),
    "fit": ("tests/unit/test_extract.py", "tests/properties/test_reports.py"),
    "importer": ("tests/unit/test_importer.py",),
    "jobs": ("tests/unit/test_jobs.py", "tests/properties/test_job_states.py"),
    "json_sql": ("tests/properties/test_filters_as_sql.py",),
    "json_text": ("tests/unit/test_hostile.py", "tests/unit/test_importer.py"),
    "ledger": ("tests/unit/test_ledger.py", "tests/faults/test_broken_off.py"),
    "lookup": ("tests/unit/test_extract.py", "tests/properties/test_reports.py"),
    "memories": (
        "tests/properties/test_times.py",
        "tests/unit/test_access.py",
        "tests/unit/test_importer.py",
        "tests/congruence/test_client.py",
    ),
    "match": ("tests/properties/test_filters_as_sql.py",),
    "operations": (
        "tests/unit/test_engine.py",
        "tests/unit/test_access.py",
        "tests/properties/test_pages.py",
        "tests/congruence/test_client.py",
    ),
    "record_lists": (
        "tests/unit/test_extract.py",
        "tests/properties/test_reports.py",
        "tests/properties/test_long_exports.py",
    ),
    "run": ("tests/unit/test_extract.py", "tests/properties/test_reports.py"),
    "schemas": ("tests/unit/test_schemas.py",),
    "store": ("tests/durability/test_two_engines.py", "tests/durability/test_two_servers.py"),
    "worker": (
        "tests/unit/test_jobs.py",
        "tests/properties/test_job_states.py",
        "tests/properties/test_long_exports.py",
    ),
}
"""By the stem of a module, or the whole path."""


def first_for(file: str, chosen: tuple[Suite, ...]) -> list[Suite]:
    """What is worth a look first where `file` was changed: some files of the chosen suites, by suite."""
    paths = _FIRST.get(file) or _FIRST.get(PurePosixPath(file).stem, ())
    return [
        Suite(suite.name, mine)
        for suite in chosen
        if (mine := tuple(path for path in paths if suite.paths and f"{path}/".startswith(f"{suite.paths[0]}/")))
    ]
