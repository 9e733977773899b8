"""Small OpenAPI documents, and their differences as tests expect them."""

from __future__ import annotations

import upstream_diff


def document(version="3.1.0", components=None, **operations):
    """A document with operations by method, all of the path /a/."""
    return {
        "openapi": version,
        "info": {"title": "t", "version": "1"},
        "paths": {"/a/": operations},
        "components": {"schemas": components or {}},
    }


def operation(request=None, response=None, **more):
    """An operation with a JSON schema for its body and for its 200."""
    found = {"operationId": "a", "responses": {"200": {"description": "d"}}}
    if request is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": request}}}
    if response is not None:
        found["responses"]["200"]["content"] = {"application/json": {"schema": response}}
    return found | more


def rows(theirs, ours):
    """Each difference as (where, what, whether theirs refuses what ours promises)."""
    found = upstream_diff.compare(theirs, ours)
    assert found == sorted(found)
    assert all(row.meaning.endswith(".") for row in found)
    return {(row.where, row.aspect, row.refuses) for row in found}


S, I, N, B = ({"type": name} for name in ("string", "integer", "number", "boolean"))  # noqa: E741


def closed(required=(), **properties):
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


def opened(required=(), **properties):
    return {"type": "object", "properties": properties, "required": [*required]}
