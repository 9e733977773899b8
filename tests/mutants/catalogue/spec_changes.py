"""Changes of openapi.yaml that a user makes before regenerating: each must fail a type check or a test that names it."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_SPEC: Final = "openapi.yaml"
_TIMESTAMP: Final = "        timestamp:\n          type: integer\n"
_SESSION: Final = "        session_id:\n"
_CATEGORIES: Final = '        categories:\n          $ref: "#/components/schemas/CategoriesCondition"\n'
_EXPIRATION: Final = (
    "        expiration_date:\n"
    '          type: [string, "null"]\n'
    "          description: The last day on which the memory is valid, written YYYY-MM-DD.\n"
)
_FORBIDDEN: Final = (
    '        "403":\n          $ref: "#/components/responses/Forbidden"\n    get:\n      tags: [exports]\n'
)
_ENTITIES: Final = "  /v1/entities/:\n"
_ENTITIES_PARAMETERS: Final = (
    '        - $ref: "#/components/parameters/Page"\n        - $ref: "#/components/parameters/PageSize"\n'
    "      responses:\n"
    '        "200":\n'
    "          description: One page of entities.\n"
    "          content:\n"
    "            application/json:\n"
    "              schema:\n"
    '                $ref: "#/components/schemas/EntityPage"\n'
)
_OPERATION: Final = (
    "      tags: [exports]\n"
    "      operationId: {id}\n"
    "      summary: Planted\n"
    "      description: Planted.\n"
    "      security:\n"
    "        - ApiKeyAuth: []\n"
    "{parameters}"
    "      responses:\n"
    '        "204":\n'
    "          description: Done.\n"
    '        "400":\n'
    '          $ref: "#/components/responses/InvalidMemoryId"\n'
    '        "401":\n'
    '          $ref: "#/components/responses/Unauthorized"\n\n'
)
_PATH_PARAMETER: Final = (
    "      parameters:\n"
    "        - name: export_id\n"
    "          in: path\n"
    "          required: true\n"
    "          description: Planted.\n"
    "          schema: {type: string, format: uuid}\n"
)


def _change(name: str, old: str, new: str, why: str) -> Mutant:
    return Mutant(f"spec-change.{name}", _SPEC, old, new, why, regenerate=True)


MUTANTS: Final = (
    _change(
        "request-field-added",
        _TIMESTAMP,
        f"        priority:\n          type: integer\n          description: Planted.\n{_TIMESTAMP}",
        "no client can send the new field",
    ),
    _change(
        "response-field-added",
        _SESSION,
        f'        synthesized:\n          type: [boolean, "null"]\n          description: Planted.\n{_SESSION}',
        "the clients drop the new field",
    ),
    _change(
        "filter-field-added",
        _CATEGORIES,
        f'        actor_id:\n          $ref: "#/components/schemas/EntityCondition"\n          description: Planted.\n{_CATEGORIES}',
        "F cannot express the new filter",
    ),
    _change("response-field-renamed", _SESSION, "        session:\n", "every memory loses its run"),
    _change("response-field-removed", _EXPIRATION, "", "no client gets the field any more"),
    _change("request-field-renamed", _TIMESTAMP, "        made_at:\n          type: integer\n", "adds are refused"),
    _change(
        "status-added",
        _FORBIDDEN,
        _FORBIDDEN.replace("    get:", '        "409":\n          $ref: "#/components/responses/Forbidden"\n    get:'),
        "the new status has no error class",
    ),
    _change(
        "operation-without-a-body-added",
        _ENTITIES,
        f"  /v1/exports/all/:\n    delete:\n{_OPERATION.format(id='exports_delete_all', parameters='')}{_ENTITIES}",
        "neither a client nor the engine has the new operation",
    ),
    _change(
        "operation-with-a-path-parameter-added",
        _ENTITIES,
        "  /v1/exports/{export_id}/history/:\n    get:\n"
        f"{_OPERATION.format(id='exports_history', parameters=_PATH_PARAMETER)}{_ENTITIES}",
        "neither a client nor the engine has the new operation",
    ),
    _change(
        "query-parameter-added",
        _ENTITIES_PARAMETERS,
        "        - {name: kind, in: query, description: Planted., schema: {type: string, minLength: 1}}\n"
        f"{_ENTITIES_PARAMETERS}",
        "no client can send the new parameter",
    ),
)
