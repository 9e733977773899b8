"""The engine: who gets in, and what one project sees of another."""

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
        "whoever has a wrong key or none reads the project local",
    ),
    Mutant(
        "keys.web-pages-let-in",
        _LOOPBACK,
        'return headers.get("origin") in {None, f"http://{host}"}',
        "return True",
        "any web page writes into the store of whoever looks at it",
    ),
    Mutant(
        "keys.revoked-one-opens",
        _KEYS,
        "where(keys.c.id == key_id, keys.c.revoked_us.is_(None))",
        "where(keys.c.id == key_id)",
        "a key that was taken away still opens its project",
    ),
    Mutant(
        "keys.secret-not-compared",
        _ACCESS,
        "is_stored = hmac.compare_digest(digest, _NO_DIGEST if stored is None else stored[1])",
        "is_stored = stored is not None",
        "the id of a key, which is no secret, is enough",
    ),
    Mutant(
        "keys.beginning-compared",
        _ACCESS,
        "return hashlib.sha256(key.encode()).digest()",
        "return hashlib.sha256(key.encode()[:16]).digest()",
        "all keys that begin alike are the same key",
    ),
    Mutant(
        "keys.kept-as-they-are",
        _ACCESS,
        "return hashlib.sha256(key.encode()).digest()",
        "return key.encode()",
        "whoever reads the store has all keys",
    ),
    Mutant(
        "keys.any-scheme",
        _ACCESS,
        'if scheme == "Token" and is_api_key:',
        "if is_api_key:",
        "a header that the spec does not know lets in",
    ),
    Mutant(
        "projects.list-of-all",
        _MEMORIES,
        "conditions = [memories.c.project == project, clause(filters)]",
        "conditions = [clause(filters)]",
        "a project lists and exports the memories of others",
    ),
    Mutant(
        "projects.entities-of-all",
        _MEMORIES,
        ".where(memories.c.project == project, column.is_not(None))",
        ".where(column.is_not(None))",
        "a project sees whom others know",
    ),
    Mutant(
        "projects.text-known-elsewhere",
        _MEMORIES,
        'where(memories.c.project == row["project"], same)',
        "where(same)",
        "a memory is not stored because another project has it",
    ),
    Mutant(
        "projects.import-known-elsewhere",
        _MEMORIES,
        "mine = sa.select(memories.c.record_key, memories.c.id).where(memories.c.project == project)",
        "mine = sa.select(memories.c.record_key, memories.c.id)",
        "an import leaves out what another project has",
    ),
    Mutant(
        "projects.export-by-id",
        _JOBS,
        "conditions.append(exports.c.id == export_id)",
        "conditions = [exports.c.expires_us > clock.microseconds(now), exports.c.id == export_id]",
        "whoever knows an id fetches the export of another project",
    ),
    Mutant(
        "projects.export-by-filters",
        _JOBS,
        "conditions.append(exports.c.filters == filters_key(filters))",
        "conditions = [exports.c.expires_us > clock.microseconds(now), exports.c.filters == filters_key(filters)]",
        "the same filters fetch the newer export of another project",
    ),
    Mutant(
        "projects.named-one-not-checked",
        _OPERATIONS,
        '(("org_id", ORGANIZATION), ("project_id", project))',
        '(("org_id", ORGANIZATION),)',
        "a request for another project is answered from one's own",
    ),
)
