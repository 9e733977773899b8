"""openapi.yaml: alone, where generated/ does not follow, and with it, where the two agree in the fault."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_SPEC = "openapi.yaml"
_EXPIRATION = (
    "        expiration_date:\n"
    '          type: [string, "null"]\n'
    "          description: The last day before the memory expires, written YYYY-MM-DD.\n"
)
_ADDED = "required: [message, status, event_id, results]"

MUTANTS: Final = (
    Mutant("spec.field-dropped-alone", _SPEC, _EXPIRATION, "", "the spec has a field less than the code"),
    Mutant("spec.required-dropped-alone", _SPEC, _ADDED, "required: [message, status]", "the models are stricter"),
    Mutant("spec.header-renamed-alone", _SPEC, "      name: Authorization\n", "      name: X-Api-Key\n", "no key fits"),
    Mutant("spec.field-dropped", _SPEC, _EXPIRATION, "", "no client gets the field any more", regenerate=True),
    Mutant(
        "spec.required-answer-dropped",
        _SPEC,
        "required: [id, memory, created_at]",
        "required: [id, memory]",
        "clients have to live with memories without a time",
        regenerate=True,
    ),
    Mutant(
        "spec.required-request-dropped",
        _SPEC,
        "      required: [schema]\n",
        "",
        "an export without a schema is valid",
        regenerate=True,
    ),
    Mutant(
        "spec.type-widened",
        _SPEC,
        "          type: string\n          format: date-time\n          description: When the memory was created.\n",
        '          type: [string, "null"]\n          format: date-time\n          description: When the memory was created.\n',
        "a time may be null, and every client has to ask",
        regenerate=True,
    ),
    Mutant(
        "spec.type-narrowed",
        _SPEC,
        'description: The number of memories that the filters select, on all pages.\n        next:\n          type: [string, "null"]\n',
        "description: The number of memories that the filters select, on all pages.\n        next:\n          type: string\n",
        "the last page is not valid",
        regenerate=True,
    ),
    Mutant(
        "spec.constant-opened",
        _SPEC,
        "          const: false\n",
        "",
        "infer: true is valid, and stored as it is",
        regenerate=True,
    ),
    Mutant(
        "spec.security-removed",
        _SPEC,
        "description: Returns the organization and the project that the key belongs to.\n"
        "      security:\n        - ApiKeyAuth: []\n",
        "description: Returns the organization and the project that the key belongs to.\n      security: []\n",
        "an operation is open to everybody",
        regenerate=True,
    ),
    Mutant(
        "spec.status-dropped",
        _SPEC,
        '        "403":\n          $ref: "#/components/responses/Forbidden"\n\n  /v1/exports/get/:',
        "\n  /v1/exports/get/:",
        "a status that is given is not documented",
        regenerate=True,
    ),
    Mutant(
        "spec.additional-properties-opened",
        _SPEC,
        "required: [filters]\n      additionalProperties: false",
        "required: [filters]\n      additionalProperties: true",
        "a misspelled field is overlooked",
        regenerate=True,
    ),
    Mutant(
        "spec.unknown-operators-opened",
        _SPEC,
        "description: Operators on an entity id. All that are given must match.\n"
        "      minProperties: 1\n      additionalProperties: false",
        "description: Operators on an entity id. All that are given must match.\n"
        "      minProperties: 1\n      additionalProperties: true",
        "an operator that does not exist is valid",
        regenerate=True,
    ),
    Mutant(
        "spec.operator-dropped",
        _SPEC,
        '        lte:\n          $ref: "#/components/schemas/Time"\n          description: At or earlier than.\n',
        "",
        "clients send what is not valid",
        regenerate=True,
    ),
    Mutant(
        "spec.limit-raised",
        _SPEC,
        "maximum: 200, default: 100",
        "maximum: 2000, default: 100",
        "pages that the service does not give",
        regenerate=True,
    ),
    Mutant(
        "spec.empty-text-allowed",
        _SPEC,
        "          type: string\n          minLength: 1\n          description: The text of the memory.\n",
        "          type: string\n          description: The text of the memory.\n",
        "memories without a text",
        regenerate=True,
    ),
    Mutant(
        "spec.reason-dropped",
        _SPEC,
        "        reason:\n          type: string\n          description: |\n",
        "        cause:\n          type: string\n          description: |\n",
        "clients do not learn that a job has failed",
        regenerate=True,
    ),
    Mutant(
        "spec.default-changed",
        _SPEC,
        "          default: false\n          description: Whether to include memories whose expiration date has passed.\n",
        "          default: true\n          description: Whether to include memories whose expiration date has passed.\n",
        "whoever says nothing gets what has expired",
        regenerate=True,
    ),
)
