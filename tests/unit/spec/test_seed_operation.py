"""Test that no edit of openapi.yaml loses a part of the operation that the project began with.

The expectations are written out here from the published document of POST /v1/exports/ (2025), not read from the spec.
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


def test_has_its_path_method_tag_and_operation_id():
    assert OPERATION["operationId"] == "exports_create"
    assert OPERATION["tags"] == ["exports"]


def test_requires_a_json_body():
    assert OPERATION["requestBody"]["required"] is True
    assert list(OPERATION["requestBody"]["content"]) == ["application/json"]


def test_body_has_the_published_fields_and_requires_only_schema():
    declared = properties(BODY)

    assert resolved(BODY)["type"] == "object"
    assert resolved(BODY)["required"] == ["schema"]
    assert {name: declared[name]["type"] for name in ("schema", "filters", "org_id", "project_id")} == {
        "schema": "object",
        "filters": "object",
        "org_id": "string",
        "project_id": "string",
    }


def test_accepts_any_object_as_schema():
    assert REQUEST.is_valid({"schema": {}})
    assert REQUEST.is_valid({"schema": {"anything": {"goes": [1, None, True]}}})


@pytest.mark.parametrize("field", ENTITY_FIELDS)
def test_flat_filters_accept_only_strings(field):
    filters = resolved(resolved(BODY)["properties"]["filters"])

    assert field in filters["properties"]
    assert REQUEST.is_valid({"schema": {}, "filters": {field: "alex"}})
    assert not REQUEST.is_valid({"schema": {}, "filters": {field: 5}})


def test_accepts_all_flat_filters_with_organization_and_project():
    flat = dict.fromkeys(ENTITY_FIELDS, "x")

    assert REQUEST.is_valid({"schema": {}, "filters": flat, "org_id": "o", "project_id": "p"})


def test_accepts_the_structured_filters_of_the_published_samples():
    assert REQUEST.is_valid({"schema": {"type": "object"}, "filters": {"AND": [{"user_id": "alex"}]}})


@pytest.mark.parametrize("body", [{}, {"filters": {"user_id": "alex"}}, {"schema": "text"}, {"schema": None}, [], None])
def test_rejects_a_body_without_an_object_as_schema(body):
    assert not REQUEST.is_valid(body)


def test_has_the_published_statuses():
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


def test_key_is_sent_in_the_authorization_header():
    assert OPERATION["security"] == [{"ApiKeyAuth": []}]
    assert SPEC["security"] == [{"ApiKeyAuth": []}]
    scheme = SPEC["components"]["securitySchemes"]["ApiKeyAuth"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "Authorization")
    assert "Token " in scheme["description"]


def test_server_is_the_hosted_platform():
    assert [server["url"].rstrip("/") for server in SPEC["servers"]] == ["https://api.mem0.ai"]


def test_has_the_parts_that_the_service_added_later():
    assert "export_instructions" in resolved(BODY)["properties"]
    assert REJECTED.is_valid({"error": "One of the filters: app_id, user_id, agent_id, run_id is required!"})
