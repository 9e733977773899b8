"""Bugs in openapi.yaml: alone, or also in generated/, so that the two agree."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_SPEC = "openapi.yaml"
_EXPIRATION = (
    "        expiration_date:\n"
    '          type: [string, "null"]\n'
    "          description: The last day on which the memory is valid, written YYYY-MM-DD.\n"
)
_ADDED = "required: [message, status, event_id, results]"

MUTANTS: Final = (
    Mutant("spec.field-dropped-alone", _SPEC, _EXPIRATION, "", "the spec lacks a field that the code has"),
    Mutant(
        "spec.required-dropped-alone",
        _SPEC,
        _ADDED,
        "required: [message, status]",
        "the generated models are stricter than the spec",
    ),
    Mutant(
        "spec.header-renamed-alone",
        _SPEC,
        "      name: Authorization\n",
        "      name: X-Api-Key\n",
        "the key is in another header",
    ),
    Mutant("spec.field-dropped", _SPEC, _EXPIRATION, "", "clients no longer get the field", regenerate=True),
    Mutant(
        "spec.required-answer-dropped",
        _SPEC,
        "required: [id, memory, created_at]",
        "required: [id, memory]",
        "memories without a time are valid",
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
        "a time may be null",
        regenerate=True,
    ),
    Mutant(
        "spec.type-narrowed",
        _SPEC,
        'description: The number of memories that the filters select, on all pages.\n        next:\n          type: [string, "null"]\n',
        "description: The number of memories that the filters select, on all pages.\n        next:\n          type: string\n",
        "the last page, whose next is null, is invalid",
        regenerate=True,
    ),
    Mutant(
        "spec.constant-opened",
        _SPEC,
        "          const: false\n",
        "",
        "infer: true is valid, but has the effect of infer: false",
        regenerate=True,
    ),
    Mutant(
        "spec.security-removed",
        _SPEC,
        "description: Returns the organization and the project that the key belongs to.\n"
        "      security:\n        - ApiKeyAuth: []\n",
        "description: Returns the organization and the project that the key belongs to.\n      security: []\n",
        "an operation needs no key",
        regenerate=True,
    ),
    Mutant(
        "spec.status-dropped",
        _SPEC,
        '        "403":\n          $ref: "#/components/responses/Forbidden"\n    get:\n      tags: [exports]\n',
        "    get:\n      tags: [exports]\n",
        "a status that the engine returns is not documented",
        regenerate=True,
    ),
    Mutant(
        "spec.additional-properties-opened",
        _SPEC,
        "required: [filters]\n      additionalProperties: false",
        "required: [filters]\n      additionalProperties: true",
        "a misspelled field is ignored",
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
        "clients send a filter that is invalid",
        regenerate=True,
    ),
    Mutant(
        "spec.limit-raised",
        _SPEC,
        "maximum: 200, default: 100",
        "maximum: 2000, default: 100",
        "page sizes that the service refuses are valid",
        regenerate=True,
    ),
    Mutant(
        "spec.empty-text-allowed",
        _SPEC,
        "          type: string\n          minLength: 1\n          description: The text of the memory.\n",
        "          type: string\n          description: The text of the memory.\n",
        "memories without a text are valid",
        regenerate=True,
    ),
    Mutant(
        "spec.reason-dropped",
        _SPEC,
        '        reason:\n          type: [string, "null"]\n          description: |\n',
        '        cause:\n          type: [string, "null"]\n          description: |\n',
        "clients cannot see that a job has failed",
        regenerate=True,
    ),
    Mutant(
        "spec.default-changed",
        _SPEC,
        "          default: false\n          description: Whether to include memories whose expiration date has passed.\n",
        "          default: true\n          description: Whether to include memories whose expiration date has passed.\n",
        "lists have expired memories by default",
        regenerate=True,
    ),
)
