"""Test that each rule of the spec's linter reports its own violations with their pointer, and no others."""

from __future__ import annotations

import copy

from pathlib import Path

import pytest

import lint_spec


ROOT = Path(__file__).resolve().parents[2]
SPEC = lint_spec.load(ROOT / "openapi.yaml")
CREATE = "/paths/~1v1~1exports~1/post"
PING = "/paths/~1v1~1ping~1/get"
SCHEMAS = "/components/schemas"


def test_the_spec_obeys_every_rule():
    assert [str(each) for each in lint_spec.lint(SPEC)] == []


def create(document):
    return document["paths"]["/v1/exports/"]["post"]


def ping(document):
    return document["paths"]["/v1/ping/"]["get"]


def schemas(document):
    return document["components"]["schemas"]


def described(**more):
    return {"type": "object", "description": "d", **more}


def add_used_schema(document, schema):
    """Add a schema as a component that a property refers to."""
    schemas(document)["Extra"] = schema
    schemas(document)["Ping"]["properties"]["extra"] = {"$ref": "#/components/schemas/Extra"}


def add_used_union(document, word, branches):
    names = {f"Branch{index}": described(**each) for index, each in enumerate(branches)}
    schemas(document).update(names)
    add_used_schema(document, {"description": "d", word: [{"$ref": f"#/components/schemas/{name}"} for name in names]})


VIOLATIONS = {
    "another version": (lambda d: d.update(openapi="3.0.3"), "version", "/openapi"),
    "a duplicate operationId": (lambda d: ping(d).update(operationId="exports_create"), "duplicate-operation-id", f"{PING}/operationId"),
    "no operationId": (lambda d: ping(d).pop("operationId"), "operation-id", f"{PING}/operationId"),
    "an operationId in camelCase": (lambda d: ping(d).update(operationId="pingIt"), "operation-id", f"{PING}/operationId"),
    "no security": (lambda d: ping(d).pop("security"), "missing-security", f"{PING}/security"),
    "security: []": (lambda d: ping(d).update(security=[]), "missing-security", f"{PING}/security"),
    "optional security": (lambda d: ping(d)["security"].append({}), "missing-security", f"{PING}/security"),
    "unknown security": (lambda d: ping(d)["security"].append({"Bearer": []}), "missing-security", f"{PING}/security"),
    "no 401": (lambda d: ping(d)["responses"].pop("401"), "missing-401", f"{PING}/responses"),
    "no success": (lambda d: ping(d)["responses"].pop("200"), "missing-success", f"{PING}/responses"),
    "a default response": (lambda d: ping(d)["responses"].update(default=ping(d)["responses"]["401"]), "default-response", f"{PING}/responses/default"),
    "a range of statuses": (lambda d: ping(d)["responses"].update({"5XX": ping(d)["responses"]["401"]}), "default-response", f"{PING}/responses/5XX"),
    "an inline request": (lambda d: content(create(d)["requestBody"]).update(schema={"type": "object", "additionalProperties": {"$ref": f"#{SCHEMAS}/MemoryExportRequest"}}), "inline-body", f"{CREATE}/requestBody/content/application~1json/schema"),
    "an inline response": (lambda d: content(create(d)["responses"]["400"]).update(schema={"anyOf": [{"$ref": f"#{SCHEMAS}/MemoryExportRejected"}]}), "inline-body", f"{CREATE}/responses/400/content/application~1json/schema"),
    "an inline shared response": (lambda d: content(d["components"]["responses"]["Unauthorized"]).update(schema={"type": "object"}), "inline-body", "/components/responses/Unauthorized/content/application~1json/schema"),
    "a body without an example": (lambda d: content(create(d)["requestBody"]).pop("examples"), "missing-example", f"{CREATE}/requestBody/content/application~1json"),
    "an inline enum": (lambda d: schemas(d)["Ping"]["properties"]["status"].update(enum=["ok"]), "inline-schema", f"{SCHEMAS}/Ping/properties/status"),
    "an inline object": (lambda d: schemas(d)["Ping"]["properties"].update(x=described(properties={"a": {"type": "string"}})), "inline-schema", f"{SCHEMAS}/Ping/properties/x"),
    "a property that allows anything": (lambda d: schemas(d)["Ping"]["properties"].update(x={"description": "d"}), "empty-schema", f"{SCHEMAS}/Ping/properties/x"),
    "a property without a description": (lambda d: schemas(d)["Ping"]["properties"]["status"].pop("description"), "missing-description", f"{SCHEMAS}/Ping/properties/status"),
    "a schema without a description": (lambda d: schemas(d)["Ping"].pop("description"), "missing-description", f"{SCHEMAS}/Ping"),
    "an unknown required property": (lambda d: schemas(d)["Ping"]["required"].append("statsu"), "undocumented-required", f"{SCHEMAS}/Ping/required"),
    "an unknown required property in a branch": (lambda d: schemas(d)["AddMemoriesRequest"]["allOf"][0]["anyOf"].append({"required": ["team_id"]}), "undocumented-required", f"{SCHEMAS}/AddMemoriesRequest/allOf/0/anyOf/4/required"),
    "a request that allows any property": (lambda d: schemas(d)["MemoryExportRequest"].pop("additionalProperties"), "open-request", f"{SCHEMAS}/MemoryExportRequest"),
    "an object in a request that allows any property": (lambda d: schemas(d)["TimeOperators"].update(additionalProperties=True), "open-request", f"{SCHEMAS}/TimeOperators"),
    "an optional property of a response that cannot be null": (lambda d: schemas(d)["Memory"]["properties"]["updated_at"].update(type="string"), "strict-response", f"{SCHEMAS}/Memory/properties/updated_at"),
    "an optional property of a response whose alternatives cannot be null": (lambda d: schemas(d)["Memory"]["properties"].update(metadata={"description": "d", "oneOf": [{"$ref": "#/components/schemas/Metadata"}]}), "strict-response", f"{SCHEMAS}/Memory/properties/metadata"),
    "an invalid example": (lambda d: content(ping(d)["responses"]["200"])["examples"]["ok"].update(value={"status": 5}), "bad-example", f"{PING}/responses/200/content/application~1json/examples/ok/value"),
    "an invalid shared example": (lambda d: content(d["components"]["responses"]["Unauthorized"])["examples"]["bad_key"].update(value={}), "bad-example", "/components/responses/Unauthorized/content/application~1json/examples/bad_key/value"),
    "an example in another format": (lambda d: content(create(d)["responses"]["201"])["examples"]["accepted"]["value"].update(id="1"), "bad-example", f"{CREATE}/responses/201/content/application~1json/examples/accepted/value"),
    "an invalid default": (lambda d: d["components"]["parameters"]["PageSize"]["schema"].update(default=500), "bad-default", "/components/parameters/PageSize/schema/default"),
    "nullable": (lambda d: schemas(d)["Ping"]["properties"]["org_id"].update(type="string", nullable=True), "nullable", f"{SCHEMAS}/Ping/properties/org_id/nullable"),
    "a dangling reference": (lambda d: content(ping(d)["responses"]["200"])["schema"].update({"$ref": "#/components/schemas/Pong"}), "dangling-ref", f"{PING}/responses/200/content/application~1json/schema/$ref"),
    "a reference to a file": (lambda d: content(ping(d)["responses"]["200"])["schema"].update({"$ref": "other.yaml#/Ping"}), "dangling-ref", f"{PING}/responses/200/content/application~1json/schema/$ref"),
    "an unused schema": (lambda d: schemas(d).update(Extra=described()), "unused-component", f"{SCHEMAS}/Extra"),
    "an unused parameter": (lambda d: d["components"]["parameters"].update(Extra=d["components"]["parameters"]["Page"]), "unused-component", "/components/parameters/Extra"),
    "an unused security scheme": (lambda d: d["components"]["securitySchemes"].update(Extra=d["components"]["securitySchemes"]["ApiKeyAuth"]), "unused-component", "/components/securitySchemes/Extra"),
    "oneOf whose first branch matches everything": (lambda d: add_used_union(d, "oneOf", [{"properties": {"a": {"type": "string", "description": "d"}}}, {}]), "vague-union", f"{SCHEMAS}/Extra/oneOf/0"),
    "anyOf whose second branch matches everything": (lambda d: add_used_union(d, "anyOf", [{"required": ["a"], "properties": {"a": {"type": "string", "description": "d"}}}, {}, {}]), "vague-union", f"{SCHEMAS}/Extra/anyOf/1"),
    "a response without a description": (lambda d: ping(d)["responses"]["200"].pop("description"), "openapi", f"{PING}/responses/200"),
    "an unknown type": (lambda d: schemas(d)["Ping"]["properties"]["status"].update(type="text"), "json-schema", f"{SCHEMAS}/Ping/properties/status/type"),
    **{f"a property named {name}": (lambda d, name=name: schemas(d)["Ping"]["properties"].update({name: {"type": "string", "description": "d"}}), "breaking-name", f"{SCHEMAS}/Ping/properties/{name}") for name in ("d", "cls", "to_dict", "from_dict", "additional_properties", "field_dict")},
    "a schema named Client": (lambda d: (schemas(d).update(Client=described()), schemas(d)["Ping"]["properties"].update(x={"$ref": "#/components/schemas/Client"})), "breaking-name", f"{SCHEMAS}/Client"),
}  # fmt: skip


def content(holder):
    return holder["content"]["application/json"]


@pytest.mark.parametrize(("break_rule", "rule", "pointer"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_each_rule_reports_a_violation_with_its_pointer_and_a_fix(break_rule, rule, pointer):
    document = copy.deepcopy(SPEC)
    break_rule(document)

    wrong = lint_spec.lint(document)

    expected = [each for each in wrong if each.rule == rule]
    assert [each.pointer for each in expected] == [pointer] or rule == "openapi", wrong
    assert any(each.pointer.startswith(pointer) for each in expected), wrong
    assert all(each.fix for each in expected)
    # One change may also leave a component unused or an example invalid, or break the OpenAPI schema itself.
    assert {each.rule for each in wrong} <= {rule, "openapi", "unused-component", "bad-example", "strict-response"}, (
        wrong
    )


def test_reports_a_duplicate_key(tmp_path, capsys):
    text = (ROOT / "openapi.yaml").read_text(encoding="utf-8")
    broken = tmp_path / "openapi.yaml"
    broken.write_text(text.replace('        "401":\n', '        "401":\n          $ref: "#/x"\n        "401":\n', 1))

    assert lint_spec.main([str(broken)]) == 1
    assert "'401' appears twice" in capsys.readouterr().out


def test_command_prints_the_pointer_the_rule_and_a_fix(tmp_path, capsys):
    text = (ROOT / "openapi.yaml").read_text(encoding="utf-8")
    broken = tmp_path / "openapi.yaml"
    broken.write_text(text.replace("operationId: ping\n", "operationId: exports_get\n"))

    assert lint_spec.main([str(broken)]) == 1

    printed = capsys.readouterr()
    assert f"{PING}/operationId: the operationId exports_get is already that of" in printed.out
    assert "[duplicate-operation-id]\n    give one of them another one" in printed.out
    assert "1 finding" in printed.err
    assert lint_spec.main([]) == 0
