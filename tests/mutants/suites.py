"""List the suites in the order in which they run, and the test files to run first for each module.

The test files that run first only save time: a mutant that they do not catch goes through all suites.
"""

from __future__ import annotations

import sys

from pathlib import PurePosixPath
from typing import Final, NamedTuple


class Suite(NamedTuple):
    """Tests that run together: those of some folders, or a command."""

    name: str
    paths: tuple[str, ...] = ()
    """The arguments of pytest."""
    command: tuple[str, ...] = ()
    """The arguments of Python, to run a command instead of pytest."""
    reads: str | None = None
    """The only file that the result depends on; the suite does not run for mutants of other files."""
    quick: bool = False
    """Whether it also runs on the unchanged project, before any mutant is planted."""


READERS: Final = ("facade/mem0_exports/http/operations.py", "facade/mem0_exports/http/export_operations.py")
"""The modules that use the generated models."""

SUITES: Final = (
    Suite("lint-spec", command=("tools/lint_spec.py",), reads="openapi.yaml", quick=True),
    Suite("drift", command=("tools/generate.py", "--check"), reads="openapi.yaml", quick=True),
    Suite("mypy", command=("-m", "mypy", "--no-error-summary", *READERS), reads="openapi.yaml", quick=True),
    Suite(
        "pyright", command=("-m", "pyright", "--pythonpath", sys.executable, *READERS), reads="openapi.yaml", quick=True
    ),
    Suite("unit", ("tests/unit", "tests/tools"), quick=True),
    Suite("client", ("tests/contract/client",), quick=True),
    Suite("congruence", ("tests/end_to_end/congruence",), quick=True),
    Suite("properties", ("tests/properties",)),
    Suite("engine", ("tests/contract/engine",)),
    Suite("deployment", ("tests/contract/deployment",)),
    Suite("faults", ("tests/end_to_end/faults",)),
    Suite("durability", ("tests/end_to_end/durability",)),
    Suite("limits", ("tests/end_to_end/limits",)),
)

_FILTERS: Final = ("tests/unit/client/filters/test_filters.py", "tests/properties/test_filters_as_sql.py")

_FIRST: Final[dict[str, tuple[str, ...]]] = {
    "openapi.yaml": (
        "tests/unit/spec/test_coverage.py",
        "tests/unit/spec/test_spec.py",
        "tests/unit/spec/test_seed_operation.py",
        "tests/unit/engine/test_engine.py",
        "tests/unit/spec/test_published_contract.py",
    ),
    "extract/llm": ("tests/unit/engine/extract/llm", "tests/properties/test_model_faults.py"),
    "mem0_exports_cli": ("tests/unit/cli",),
    "mem0_exports/output": ("tests/unit/client/output", "tests/unit/cli/test_export.py"),
    "exports/api": ("tests/unit/client/test_client.py",),
    "exports/flows": ("tests/unit/client/exports/test_flows.py", "tests/unit/client/exports/test_ledger.py"),
    "exports/handles": ("tests/unit/client/test_client.py",),
    "exports/ledger": ("tests/unit/client/exports/test_ledger.py", "tests/end_to_end/faults/test_interrupted.py"),
    "exports/ledger_file": ("tests/unit/client/exports/test_ledger.py",),
    "exports/resume": ("tests/unit/client/exports/test_ledger.py", "tests/end_to_end/faults/test_interrupted.py"),
    "exports/spec": ("tests/unit/client/exports/test_ledger.py", "tests/unit/client/test_client.py"),
    "filters/check": _FILTERS,
    "filters/fields": ("tests/unit/client/filters/test_filters.py",),
    "filters/parse": _FILTERS,
    "filters/times": ("tests/unit/client/filters/test_filters.py", "tests/properties/test_times.py"),
    "filters/tree": _FILTERS,
    "http/connection": (
        "tests/unit/client/http/test_driver.py",
        "tests/unit/client/test_client.py",
        "tests/contract/client/test_requests.py",
        "tests/end_to_end/faults/test_calls.py",
    ),
    "deadlines": ("tests/unit/client/test_deadlines.py",),
    "http/in_process": ("tests/unit/engine/test_transport.py", "tests/unit/engine/test_waiting.py"),
    "http/network_driver": (
        "tests/unit/client/http/test_driver.py",
        "tests/end_to_end/congruence/test_client.py",
        "tests/end_to_end/faults/test_calls.py",
    ),
    "http/driver": (
        "tests/unit/client/http/test_driver.py",
        "tests/end_to_end/congruence/test_client.py",
        "tests/end_to_end/faults/test_calls.py",
    ),
    "http/flow": ("tests/unit/client/http/test_flow.py", "tests/unit/client/http/test_holding.py"),
    **dict.fromkeys(
        ("http/operations", "http/export_operations", "http/fields"),
        (
            "tests/unit/client/http/test_responses.py",
            "tests/unit/client/test_client.py",
            "tests/contract/client",
        ),
    ),
    "http/responses": ("tests/unit/client/http/test_responses.py", "tests/unit/client/http/test_flow.py"),
    "http/settings": ("tests/unit/client/http/test_flow.py", "tests/unit/client/http/test_holding.py"),
    "mem0_exports_engine/waiting": ("tests/unit/engine/test_waiting.py",),
    "mem0_exports/client": ("tests/unit/client/test_client.py",),
    "mem0_exports/http/resources": ("tests/end_to_end/faults/test_options.py", "tests/end_to_end/faults/test_calls.py"),
    "mem0_exports/memories": ("tests/end_to_end/faults/test_options.py", "tests/end_to_end/faults/test_calls.py"),
    "schemas/describe": ("tests/unit/client/schemas/test_schemas.py",),
    "schemas/schema": ("tests/unit/client/schemas/test_schemas.py",),
    "mem0_exports_engine/access": ("tests/unit/engine/test_access.py", "tests/unit/engine/test_engine.py"),
    "mem0_exports_engine/clock": ("tests/unit/engine/importing/test_importer.py", "tests/properties/test_times.py"),
    "mem0_exports_engine/contract": ("tests/unit/engine/test_contract.py", "tests/properties/test_drawn_operations.py"),
    "mem0_exports_engine/engine": ("tests/unit/engine/test_engine.py", "tests/unit/engine/server/test_app.py"),
    "mem0_exports_engine/importing": ("tests/unit/engine/importing",),
    "mem0_exports_engine/json_text": (
        "tests/unit/engine/test_hostile.py",
        "tests/unit/engine/importing/test_importer.py",
    ),
    "mem0_exports_engine/loopback": ("tests/unit/engine/test_access.py", "tests/unit/engine/test_engine.py"),
    "mem0_exports_engine/operations": (
        "tests/unit/engine/test_engine.py",
        "tests/unit/engine/test_access.py",
        "tests/properties/test_pages.py",
        "tests/end_to_end/congruence/test_client.py",
    ),
    "mem0_exports_engine/parameters": (
        "tests/unit/engine/test_contract.py",
        "tests/properties/test_drawn_operations.py",
    ),
    "mem0_exports_engine/refusals": ("tests/unit/engine/test_engine.py", "tests/unit/engine/test_access.py"),
    "offline/extractor": ("tests/unit/engine/extract/test_offline.py", "tests/properties/test_reports.py"),
    "offline/fit": ("tests/unit/engine/extract/test_offline.py", "tests/properties/test_reports.py"),
    "offline/lookup": ("tests/unit/engine/extract/test_offline.py", "tests/properties/test_reports.py"),
    **dict.fromkeys(
        ("offline/records", "offline/record_lists", "offline/makers", "offline/memories", "offline/pushdown"),
        (
            "tests/unit/engine/extract/test_offline.py",
            "tests/properties/test_reports.py",
            "tests/properties/test_long_exports.py",
        ),
    ),
    "offline/values": ("tests/unit/engine/extract/test_offline.py", "tests/properties/test_reports.py"),
    "server/app": ("tests/unit/engine/server/test_app.py",),
    "server/slow_clients": ("tests/unit/engine/server/test_app.py",),
    "sqlite/batches": ("tests/properties/test_long_exports.py",),
    "sqlite/database": (
        "tests/unit/engine/store/test_errors.py",
        "tests/end_to_end/durability/test_two_engines.py",
        "tests/end_to_end/durability/test_two_servers.py",
    ),
    "sqlite/filters": ("tests/properties/test_filters_as_sql.py",),
    "sqlite/functions": ("tests/properties/test_filters_as_sql.py",),
    "sqlite/sameness": ("tests/unit/engine/importing/test_importer.py", "tests/properties/test_same_memories.py"),
    "sqlite/jobs": ("tests/unit/engine/store/test_jobs.py", "tests/properties/test_job_states.py"),
    "sqlite/keys": ("tests/unit/engine/test_access.py",),
    "sqlite/pulled": ("tests/properties/test_pulls.py",),
    **dict.fromkeys(("importing/pull", "importing/payloads"), ("tests/properties/test_pulls.py",)),
    "mem0_exports_engine/sources": ("tests/unit/engine/sources",),
    "sqlite/memories": (
        "tests/properties/test_times.py",
        "tests/unit/engine/test_access.py",
        "tests/unit/engine/importing/test_importer.py",
        "tests/end_to_end/congruence/test_client.py",
    ),
    "store/rows": (
        "tests/unit/engine/importing/test_importer.py",
        "tests/properties/test_times.py",
        "tests/end_to_end/congruence/test_client.py",
    ),
    "workers/run_job": (
        "tests/unit/engine/store/test_jobs.py",
        "tests/properties/test_job_states.py",
        "tests/properties/test_long_exports.py",
    ),
    "workers/thread": ("tests/unit/engine/store/test_jobs.py", "tests/properties/test_job_states.py"),
}
"""Test files by the last two parts of a module's path, without the suffix."""


def first_for(file: str, chosen: tuple[Suite, ...]) -> list[Suite]:
    """Return suites of the test files to run first if `file` has changed, for those of the chosen suites."""
    path = PurePosixPath(file)
    paths = _FIRST.get(file) or _FIRST.get(f"{path.parent.name}/{path.stem}", ())
    return [
        Suite(suite.name, own_paths)
        for suite in chosen
        if (own_paths := tuple(path for path in paths if suite.paths and f"{path}/".startswith(f"{suite.paths[0]}/")))
    ]
