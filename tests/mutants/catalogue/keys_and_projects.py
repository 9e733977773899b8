"""Bugs in the engine's access control: keys, and the separation of projects."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_LOOPBACK = "engine/mem0_exports_engine/loopback.py"
_KEYS = "engine/mem0_exports_engine/store/sqlite/keys.py"
_ACCESS = "engine/mem0_exports_engine/access.py"
_JOBS = "engine/mem0_exports_engine/store/sqlite/jobs.py"
_MEMORIES = "engine/mem0_exports_engine/store/sqlite/memories.py"
_OPERATIONS = "engine/mem0_exports_engine/operations.py"

MUTANTS: Final = (
    Mutant(
        "keys.not-checked",
        _ACCESS,
        "return DEFAULT_PROJECT if not self.needs_key and from_this_machine(headers) else None",
        "return DEFAULT_PROJECT if from_this_machine(headers) else None",
        "a request with a wrong key or none has access to the project local",
    ),
    Mutant(
        "keys.web-pages-allowed",
        _LOOPBACK,
        'return headers.get("origin") in {None, f"http://{host}"}',
        "return True",
        "any web page that the user opens can write to the store",
    ),
    Mutant(
        "keys.revoked-key-accepted",
        _KEYS,
        'WHERE id = ? AND revoked_us IS NULL", (key_id,)',
        'WHERE id = ?", (key_id,)',
        "a revoked key still gives access to its project",
    ),
    Mutant(
        "keys.secret-not-compared",
        _ACCESS,
        "is_stored = hmac.compare_digest(digest, _NO_DIGEST if stored is None else stored[1])",
        "is_stored = stored is not None",
        "the id of a key, which is not secret, gives access",
    ),
    Mutant(
        "keys.prefix-compared",
        _ACCESS,
        "return hashlib.sha256(key.encode()).digest()",
        "return hashlib.sha256(key.encode()[:16]).digest()",
        "keys with the same beginning are the same key",
    ),
    Mutant(
        "keys.stored-in-plain-text",
        _ACCESS,
        "return hashlib.sha256(key.encode()).digest()",
        "return key.encode()",
        "anyone who can read the store has all keys",
    ),
    Mutant(
        "keys.any-scheme",
        _ACCESS,
        'if scheme == "Token" and is_api_key:',
        "if is_api_key:",
        "an authorization scheme that is not in the spec gives access",
    ),
    Mutant(
        "projects.memories-not-separated",
        _MEMORIES,
        'condition = f"project = ? AND {clause(filters, values)}"',
        'condition = f"? IS NOT NULL AND {clause(filters, values)}"',
        "a project lists and exports the memories of other projects",
    ),
    Mutant(
        "projects.entities-not-separated",
        _MEMORIES,
        'of_kind = f"FROM memories WHERE project = ? AND {field}',
        'of_kind = f"FROM memories WHERE ? IS NOT NULL AND {field}',
        "a project lists the entities of other projects",
    ),
    Mutant(
        "projects.duplicate-across-projects",
        _MEMORIES,
        "WHERE text_key = :text_key AND project = :project AND (expires_us",
        "WHERE text_key = :text_key AND (expires_us",
        "a memory is not stored because another project has it",
    ),
    Mutant(
        "projects.get-and-delete-not-separated",
        _MEMORIES,
        '_BY_ID: Final = "project = ? AND id = ?"',
        '_BY_ID: Final = "? IS NOT NULL AND id = ?"',
        "a project reads and deletes the memories of other projects",
    ),
    Mutant(
        "projects.import-duplicate-across-projects",
        "engine/mem0_exports_engine/store/sqlite/sameness.py",
        "FROM memories WHERE project = ? AND {column} IN",
        "FROM memories WHERE ? IS NOT NULL AND {column} IN",
        "an import skips memories that another project has",
    ),
    Mutant(
        "projects.export-by-id",
        _JOBS,
        'condition, values = f"{condition} AND id = ?", (*values, export_id)',
        'condition, values = "expires_us > ? AND id = ?", (values[1], export_id)',
        "the id of an export gives access from any project",
    ),
    Mutant(
        "projects.export-by-filters",
        _JOBS,
        'condition, values = f"{condition} AND filters = ?", (*values, filters_key(filters))',
        'condition, values = "expires_us > ? AND filters = ?", (values[1], filters_key(filters))',
        "getting an export by filters returns that of another project",
    ),
    Mutant(
        "projects.project-id-not-checked",
        _OPERATIONS,
        '(("org_id", ORGANIZATION), ("project_id", project))',
        '(("org_id", ORGANIZATION),)',
        "a request with the project_id of another project is not refused",
    ),
)
