"""Bugs in filters: their evaluation in the engine, and how they are parsed and serialized."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_DOCUMENTS = "facade/mem0_exports/filters/parse.py"
_JSON_SQL = "engine/mem0_exports_engine/store/sqlite/functions.py"
_MATCH = "engine/mem0_exports_engine/store/sqlite/filters.py"
_COMPILER = "engine/mem0_exports_engine/store/filter_sql.py"
_TREE = "facade/mem0_exports/filters/tree.py"

MUTANTS: Final = (
    Mutant(
        "filters.many-ne-as-eq",
        _MATCH,
        'return lambda metadata: not holds(metadata, "eq", key, value)',
        'return lambda metadata: holds(metadata, "eq", key, value)',
        "among many conditions on metadata, ne selects what it should leave out",
    ),
    Mutant(
        "filters.metadata-parsed-for-each-condition",
        _JSON_SQL,
        "        _last.document = document\n",
        "",
        "a list with many conditions and large metadata takes minutes",
    ),
    Mutant(
        "filters.ne-loses-null",
        _COMPILER,
        'return f"({column} IS NULL OR {column} != {add(value)})"',
        'return f"{column} != {add(value)}"',
        "`agent_id != x` does not find memories without an agent",
    ),
    Mutant(
        "filters.not-over-null",
        _COMPILER,
        'return f"({column} IS NOT NULL AND {compared})" if negated else compared',
        "return compared",
        "NOT of NULL is NULL in SQL, so NOT does not find memories without the field",
    ),
    Mutant(
        "filters.lte-as-lt",
        _COMPILER,
        '"lte": "<="',
        '"lte": "<"',
        "<= excludes the bound",
    ),
    Mutant(
        "filters.in-first-only",
        _COMPILER,
        "compared = dialect.among(column, value, add)",
        'compared = f"{column} = {add(value[0])}"',
        "`in` looks only for the first of several values",
    ),
    Mutant(
        "filters.or-as-and",
        _COMPILER,
        '" AND " if isinstance(part, AllOf) else " OR "',
        '" AND "',
        "OR requires all its parts",
    ),
    Mutant(
        "filters.updated-as-created",
        _COMPILER,
        '"updated_at": "updated_us",',
        '"updated_at": "created_us",',
        "filters on updated_at compare created_at",
    ),
    Mutant(
        "filters.contains-in-any-case",
        _MATCH,
        'return f"instr(memory, {add(condition.value)}) > 0"',
        'return f"instr(lower(memory), lower({add(condition.value)})) > 0"',
        "contains ignores case, as only icontains may",
    ),
    Mutant(
        "filters.metadata-ne-as-eq",
        _MATCH,
        'return f"NOT {holds}" if condition.operator == "ne" else holds',
        "return holds",
        "!= on metadata selects the opposite",
    ),
    Mutant(
        "filters.escaped-quotes",
        _MATCH,
        "CASE WHEN {is_plain} THEN {plainly}",
        "CASE WHEN 1 THEN {plainly}",
        'a category that ends with "a is taken for the category a',
    ),
    Mutant(
        "filters.case-of-ascii-only",
        _MATCH,
        "f\"{is_plain} AND {_is_ascii('categories')}\"",
        "is_plain",
        "contains on categories ignores the case of English letters only",
    ),
    Mutant(
        "filters.icontains-of-ascii-only",
        _MATCH,
        "CASE WHEN {_is_ascii('memory')} THEN",
        "CASE WHEN 1 THEN",
        "icontains ignores the case of English letters only",
    ),
    Mutant(
        "filters.list-as-its-text",
        _MATCH,
        'f"AND json_type(metadata, {add(path)}) IN ({kinds})"',
        "f\"AND json_type(metadata, {add(path)}) NOT IN ({kinds}, 'null') IS NOT NULL\"",
        "a list in the metadata equals its JSON text, and true equals 1",
    ),
    Mutant(
        "filters.cut-at-nul",
        _MATCH,
        "CASE WHEN instr(metadata, '\\\\u0000') = 0 THEN {simple}",
        "CASE WHEN 1 THEN {simple}",
        "a value in the metadata equals what is before its NUL character",
    ),
    Mutant(
        "filters.categories-in-as-all",
        _JSON_SQL,
        "return any(category in value for category in categories)",
        "return all(category in value for category in categories)",
        "memories without all of the categories are not found",
    ),
    Mutant(
        "filters.category-case-sensitive",
        _JSON_SQL,
        "return any(category.casefold() == folded for category in categories)",
        "return any(category == value for category in categories)",
        "contains on categories is case-sensitive",
    ),
    Mutant(
        "filters.true-is-one",
        _JSON_SQL,
        "return actual is expected",
        "return bool(actual == expected)",
        "true and 1 are equal in metadata",
    ),
    Mutant(
        "filters.wildcard-as-id",
        _DOCUMENTS,
        'if bare is _entity and value == "*":\n                return condition(field, "exists", None, None)',
        'if bare is _entity and value == "*":\n                return condition(field, "eq", "*", None)',
        "* looks for the id *",
    ),
    Mutant(
        "filters.and-beside-or",
        _DOCUMENTS,
        'if "AND" in document and "OR" in document:',
        'if "AND" in document and "OR" in document and len(document) > 2:',
        "the service ignores the OR, so too much is exported",
    ),
    Mutant(
        "filters.not-list-as-not-all",
        _DOCUMENTS,
        'join = self._nodes.any_of if self._rules.not_list == "none_of" else self._nodes.all_of',
        "join = self._nodes.all_of",
        "NOT of a list means 'not all of these' instead of 'none of these'",
    ),
    Mutant(
        "filters.operator-dropped",
        _TREE,
        'operand = value if self.operator == "eq" else {self.operator: value}',
        'operand = value if self.operator in {"eq", "ne"} else {self.operator: value}',
        "!= is sent as ==",
    ),
    Mutant(
        "filters.exists-serialized-wrong",
        _TREE,
        'return {self.field: "*"}',
        'return {self.field: {"exists": True}}',
        "the service refuses the filter",
    ),
    Mutant(
        "filters.alternatives-flattened",
        _TREE,
        "flat += part.parts if isinstance(part, kind) else (part,)",
        "flat += part.parts if isinstance(part, AllOf | AnyOf) else (part,)",
        "`(a | b) & c` becomes `a & b & c`",
    ),
    Mutant(
        "filters.exists-is-scope",
        _TREE,
        'return self.field in ENTITY_FIELDS and self.operator in {"eq", "in"}',
        'return self.field in ENTITY_FIELDS and self.operator != "ne"',
        "the client sends an export of all users, which the service refuses",
    ),
)
