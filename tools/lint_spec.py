"""Check openapi.yaml against the rules that the generated client, the engine and the tests rely on.

    python tools/lint_spec.py [FILE]    exit 1 and print for each finding: the place, the problem, and how to fix it

The rules are in tools/spec_rules.py. One of them runs the public validator of OpenAPI documents, and another one lets
the embedded engine read the document. The engine can therefore serve an openapi.yaml without findings.
"""

from __future__ import annotations

import sys

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

import spec_rules as rules


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPEC: Final = Path(__file__).resolve().parent.parent / "openapi.yaml"


_OTHERS: Final = (
    rules.nullable,
    rules.unused,
    rules.operation_ids,
    rules.security,
    rules.responses,
    rules.bodies,
    rules.inline,
    rules.descriptions,
    rules.required,
    rules.closed_requests,
    rules.nullable_responses,
    rules.names,
    rules.unions,
    rules.examples,
    rules.engine,
)
GROUPS: Final[tuple[tuple[Callable[[Any], Iterator[rules.Finding]], ...], ...]] = (
    (rules.is_json,),
    (rules.version, rules.references, rules.structure),
    (rules.json_schemas,),
    _OTHERS,
    (rules.openapi,),
)
"""The rules, in groups. A group relies on the groups before it, and runs only if those found nothing."""


class _UniqueKeys(yaml.SafeLoader):
    """A YAML loader that refuses duplicate keys. PyYAML's own loaders silently take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 -- PyYAML's
        keys: list[Any] = []
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in keys:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} appears twice", problem_mark=key_node.start_mark)
            keys.append(key)
        return super().construct_mapping(node, deep)


def load(path: Path) -> Any:
    """Return the document. Raise OSError, UnicodeDecodeError or yaml.YAMLError if it cannot be read."""
    return yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)  # noqa: S506 -- a SafeLoader


def lint(document: Any) -> list[rules.Finding]:
    """Return everything that is wrong with a document."""
    wrong: list[rules.Finding] = []
    for group in GROUPS:
        for rule in group:
            places = {finding.pointer for finding in wrong}
            for finding in rule(document):
                # Leave out findings of the engine that another rule has explained better, and repeated findings. The
                # engine reports a shared parameter once for each use.
                if finding not in wrong and not (rule is rules.engine and finding.pointer in places):
                    wrong.append(finding)
        if wrong:
            break
    return wrong


def main(arguments: list[str]) -> int:
    """Print the findings of a file, and return the exit code."""
    path = Path(arguments[0]) if arguments else SPEC
    try:
        wrong = lint(load(path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        print(f"{path} cannot be read: {error}")
        return 1
    except RecursionError:
        print(f"{path} cannot be read: it is nested too deeply, or an alias contains itself")
        return 1
    for finding in wrong:
        print(finding)
    if wrong:
        print(f"{path.name}: {len(wrong)} finding{'s' * (len(wrong) > 1)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
