"""The engine's filters, and how filters are read out of dicts and written into them."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_DOCUMENTS = "facade/mem0_exports/filters/parse.py"
_JSON_SQL = "engine/mem0_exports_engine/store/sqlite/functions.py"
_MATCH = "engine/mem0_exports_engine/store/sqlite/filters.py"
_TREE = "facade/mem0_exports/filters/tree.py"

MUTANTS: Final = (
    Mutant(
        "filters.ne-loses-null",
        _MATCH,
        "return sa.or_(column.is_(None), column != value)",
        "return column != value",
        "a memory without an agent is not found by 'another agent than this'",
    ),
    Mutant(
        "filters.not-over-null",
        _MATCH,
        "return sa.and_(present, column == value)",
        "return column == value",
        "NOT of an unknown is unknown in SQL, and the memory is lost",
    ),
    Mutant(
        "filters.lte-as-lt",
        _MATCH,
        "return sa.and_(present, column <= value)",
        "return sa.and_(present, column < value)",
        "the bound itself is left out",
    ),
    Mutant(
        "filters.in-first-only",
        _MATCH,
        "return sa.and_(present, column.in_(value))",
        "return sa.and_(present, column == value[0])",
        "only the first of several ids is looked for",
    ),
    Mutant(
        "filters.or-as-and",
        _MATCH,
        "return sa.or_(*map(clause, tree.parts))",
        "return sa.and_(*map(clause, tree.parts))",
        "alternatives have to hold all at once",
    ),
    Mutant(
        "filters.updated-as-created",
        _MATCH,
        '"updated_at": memories.c.updated_us,',
        '"updated_at": memories.c.created_us,',
        "the wrong time is compared",
    ),
    Mutant(
        "filters.contains-in-any-case",
        _MATCH,
        "return sa.func.instr(memories.c.memory, condition.value) > 0",
        "return sa.func.instr(sa.func.lower(memories.c.memory), sa.func.lower(condition.value)) > 0",
        "contains finds what only icontains may find",
    ),
    Mutant(
        "filters.metadata-ne-as-eq",
        _MATCH,
        'return sa.not_(holds) if condition.operator == "ne" else holds',
        "return holds",
        "the opposite of what was asked for",
    ),
    Mutant(
        "filters.categories-all-of",
        _JSON_SQL,
        "return any(category in value for category in categories)",
        "return all(category in value for category in categories)",
        "memories with further categories are lost, and those with none are found",
    ),
    Mutant(
        "filters.category-case",
        _JSON_SQL,
        "return any(category.casefold() == folded for category in categories)",
        "return any(category == value for category in categories)",
        "contains tells upper and lower case apart",
    ),
    Mutant(
        "filters.true-is-one",
        _JSON_SQL,
        "return actual is expected",
        "return bool(actual == expected)",
        "metadata true equal 1",
    ),
    Mutant(
        "filters.wildcard-as-name",
        _DOCUMENTS,
        'if bare is _entity and value == "*":\n                return condition(field, "exists", None, None)',
        'if bare is _entity and value == "*":\n                return condition(field, "eq", "*", None)',
        "* looks for a user of that name",
    ),
    Mutant(
        "filters.and-beside-or",
        _DOCUMENTS,
        'if "AND" in document and "OR" in document:',
        'if "AND" in document and "OR" in document and len(document) > 2:',
        "the service drops the OR, and too much is exported",
    ),
    Mutant(
        "filters.list-below-not",
        _DOCUMENTS,
        'join = self._nodes.any_of if self._rules.not_list == "none_of" else self._nodes.all_of',
        "join = self._nodes.all_of",
        "none of these becomes not all of these",
    ),
    Mutant(
        "filters.operator-dropped",
        _TREE,
        'operand = value if self.operator == "eq" else {self.operator: value}',
        'operand = value if self.operator in {"eq", "ne"} else {self.operator: value}',
        "'not this one' is sent as 'this one'",
    ),
    Mutant(
        "filters.exists-written-wrong",
        _TREE,
        'return {self.field: "*"}',
        'return {self.field: {"exists": True}}',
        "the service refuses it",
    ),
    Mutant(
        "filters.alternatives-flattened",
        _TREE,
        "flat += part.parts if isinstance(part, kind) else (part,)",
        "flat += part.parts if isinstance(part, AllOf | AnyOf) else (part,)",
        "(a or b) and c becomes a and b and c",
    ),
    Mutant(
        "filters.exists-is-scope",
        _TREE,
        'return self.field in ENTITY_FIELDS and self.operator in {"eq", "in"}',
        'return self.field in ENTITY_FIELDS and self.operator != "ne"',
        "an export of everybody, which the service refuses",
    ),
)
