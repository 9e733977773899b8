"""The operation that the project began with, frozen: no later edit of openapi.yaml may lose a part of it.

The expectation is written out here from the published document of POST /v1/exports/ (2025), not read from the spec.
"""

from __future__ import annotations

import json

from importlib.resources import files

import jsonschema_rs
import pytest


SPEC = json.loads(files("mem0_exports_api").joinpath("openapi.json").read_text(encoding="utf-8"))
OPERATION = SPEC["paths"]["/v1/exports/"]["post"]
VALIDATORS = jsonschema_rs.validator_map_for(SPEC, offline=True, validate_formats=True)
REQUEST = VALIDATORS["#/paths/~1v1~1exports~1/post/requestBody/content/application~1json/schema"]
ACCEPTED = VALIDATORS["#/paths/~1v1~1exports~1/post/responses/201/content/application~1json/schema"]
REJECTED = VALIDATORS["#/paths/~1v1~1exports~1/post/responses/400/content/application~1json/schema"]

ENTITY_FIELDS = ["user_id", "agent_id", "app_id", "run_id"]


def resolved(schema):
    while "$ref" in schema:
        schema = SPEC["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def properties(schema):
    return {name: resolved(each) for name, each in resolved(schema)["properties"].items()}


BODY = OPERATION["requestBody"]["content"]["application/json"]["schema"]


def test_path_method_tag_and_operation_id():
    assert OPERATION["operationId"] == "exports_create"
    assert OPERATION["tags"] == ["exports"]


def test_the_body_is_required_and_is_json():
    assert OPERATION["requestBody"]["required"] is True
    assert list(OPERATION["requestBody"]["content"]) == ["application/json"]


def test_the_body_has_the_fields_with_their_types_and_schema_alone_is_required():
    declared = properties(BODY)

    assert resolved(BODY)["type"] == "object"
    assert resolved(BODY)["required"] == ["schema"]
    assert {name: declared[name]["type"] for name in ("schema", "filters", "org_id", "project_id")} == {
        "schema": "object",
        "filters": "object",
        "org_id": "string",
        "project_id": "string",
    }


def test_the_schema_of_the_body_is_free_form():
    assert REQUEST.is_valid({"schema": {}})
    assert REQUEST.is_valid({"schema": {"anything": {"goes": [1, None, True]}}})


@pytest.mark.parametrize("field", ENTITY_FIELDS)
def test_the_flat_filters_take_strings(field):
    filters = resolved(resolved(BODY)["properties"]["filters"])

    assert field in filters["properties"]
    assert REQUEST.is_valid({"schema": {}, "filters": {field: "alex"}})
    assert not REQUEST.is_valid({"schema": {}, "filters": {field: 5}})


def test_all_flat_filters_go_together_with_organization_and_project():
    flat = dict.fromkeys(ENTITY_FIELDS, "x")

    assert REQUEST.is_valid({"schema": {}, "filters": flat, "org_id": "o", "project_id": "p"})


def test_the_structured_filters_of_the_samples_are_taken():
    assert REQUEST.is_valid({"schema": {"type": "object"}, "filters": {"AND": [{"user_id": "alex"}]}})


@pytest.mark.parametrize("body", [{}, {"filters": {"user_id": "alex"}}, {"schema": "text"}, {"schema": None}, [], None])
def test_a_body_without_an_object_as_schema_is_not_taken(body):
    assert not REQUEST.is_valid(body)


def test_the_statuses_are_there():
    assert {"201", "400"} <= OPERATION["responses"].keys()


def test_201_has_a_message_and_a_uuid():
    accepted = OPERATION["responses"]["201"]["content"]["application/json"]["schema"]
    declared = properties(accepted)

    assert sorted(resolved(accepted)["required"]) == ["id", "message"]
    assert (declared["message"]["type"], declared["id"]["type"], declared["id"]["format"]) == (
        "string",
        "string",
        "uuid",
    )
    assert ACCEPTED.is_valid({"message": "ok", "id": "550e8400-e29b-41d4-a716-446655440000"})
    assert not ACCEPTED.is_valid({"message": "ok", "id": "no uuid"})


def test_400_has_a_message():
    assert REJECTED.is_valid({"message": "Schema is required and must be a valid object"})
    assert not REJECTED.is_valid({"message": 5})


def test_the_key_goes_into_the_authorization_header():
    assert OPERATION["security"] == [{"ApiKeyAuth": []}]
    assert SPEC["security"] == [{"ApiKeyAuth": []}]
    scheme = SPEC["components"]["securitySchemes"]["ApiKeyAuth"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "Authorization")
    assert "Token " in scheme["description"]


def test_the_server_is_the_platform():
    assert [server["url"].rstrip("/") for server in SPEC["servers"]] == ["https://api.mem0.ai"]


def test_what_the_service_has_today_is_there_too():
    assert "export_instructions" in resolved(BODY)["properties"]
    assert REJECTED.is_valid({"error": "One of the filters: app_id, user_id, agent_id, run_id is required!"})
