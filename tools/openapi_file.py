"""Read an OpenAPI document, version 3.0 or 3.1, from a JSON or YAML file."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import yaml


if TYPE_CHECKING:
    from pathlib import Path


class UnreadableError(Exception):
    """The file cannot be read, is neither JSON nor YAML, or is not an OpenAPI document. The message is one sentence."""


class _Loader(yaml.SafeLoader):
    """A YAML loader that keeps dates as strings, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path) -> dict[str, Any]:
    """Return the document in the file at `path` as JSON values. Raise UnreadableError if there is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UnreadableError(f"{path} does not exist") from None
    except UnicodeDecodeError:
        raise UnreadableError(f"{path} is not a text file in UTF-8") from None
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}") from None
    try:
        document = _json(path, text) if text.lstrip().startswith("{") else _yaml(path, text)
    except RecursionError:
        raise UnreadableError(f"{path} is nested too deeply") from None
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UnreadableError(f"{path} has a string that is not valid Unicode: half of a surrogate pair") from None
    if not isinstance(document, dict):
        raise UnreadableError(f"{path} is not an OpenAPI document: it must be an object, with a key openapi")
    version = document.get("openapi", document.get("swagger"))
    if not str(version).startswith(("3.0", "3.1")):
        found = "it has no key openapi" if version is None else f"its version is {version!r}"
        raise UnreadableError(f"{path} is not an OpenAPI document of version 3.0 or 3.1: {found}")
    if not isinstance(document.get("paths", {}), dict):
        raise UnreadableError(f"{path} is not a valid OpenAPI document: paths must be an object")
    return document


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        try:
            return _yaml(path, text)  # YAML can start with a brace too
        except UnreadableError:
            pass
        cause = str(error)
        if isinstance(error, json.JSONDecodeError):
            cause = f"{error.msg} (line {error.lineno}, column {error.colno})"
    raise UnreadableError(f"{path} is not valid JSON: {cause}")


def _yaml(path: Path, text: str) -> Any:
    try:
        parsed = yaml.load(text, _Loader)  # noqa: S506 -- a SafeLoader
    except yaml.YAMLError as error:
        raise UnreadableError(f"{path} is not valid YAML: {_cause(error)}") from None
    try:
        # Convert keys to strings, as in JSON, because YAML reads the status 200 as a number.
        return json.loads(json.dumps(parsed))
    except (TypeError, ValueError) as error:
        raise UnreadableError(f"{path} cannot be written as JSON: {error}") from None


def _cause(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else problem


def pointer(*parts: object) -> str:
    """Return the JSON pointer of these keys and indexes."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def target(document: dict[str, Any], reference: object) -> Any:
    """Return what a local reference such as "#/components/schemas/Pet" points to, or None if that does not exist."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    node: Any = document
    for part in reference[1:].split("/")[1:]:
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict) and key in node:
            node = node[key]
        else:
            return None
    return node
