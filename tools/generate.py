"""Generate a Python client from an OpenAPI document.

    python tools/generate.py                                             generated/mem0_exports_api from openapi.yaml
    python tools/generate.py --check                                     exit 1 with a diff if that package is stale
    python tools/generate.py --spec FILE --out DIR --package NAME        the package DIR/NAME from another document

If generation fails, an existing package stays as it is. The generated package includes its document as
openapi.json, so that an installed wheel can validate with it and needs no YAML parser.
"""

from __future__ import annotations

import argparse
import difflib
import json
import keyword
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import lint_spec

from openapi_file import UnreadableError, pointer, read, target


if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
SPEC: Final = ROOT / "openapi.yaml"
CONFIG: Final = ROOT / "codegen.yml"
TEMPLATES: Final = ROOT / "tools" / "templates"
"""Templates of our own in place of those of the generator: models are imported when they are first used."""

PACKAGE: Final = ROOT / "generated" / "mem0_exports_api"

MARKER: Final = ".generated"
"""The name of a file that marks packages generated from other documents. A folder without it is never replaced."""

MAX_QUOTED: Final = 6
"""The most lines of the document to show with each message of the generator."""

_VALUES: Final = frozenset({"example", "examples", "default", "enum", "const"})
"""Keys whose values are data, in which `$ref` and `type` have no special meaning."""


class FailedError(Exception):
    """Nothing was generated. The message says why, and what to change."""


def unsupported(document: dict[str, Any]) -> list[str]:
    """Return one line for each part that the generator cannot read: the place, the problem and how to correct it."""
    return [f"  {where}: {problem}" for where, problem in _unsupported(document, document, "", named=False)]


def _unsupported(document: dict[str, Any], node: Any, where: str, *, named: bool) -> Iterator[tuple[str, str]]:
    """Yield the pointer and the problem of everything unsupported in `node`. `named` says that its keys are names."""
    if isinstance(node, list):
        for index, each in enumerate(node):
            yield from _unsupported(document, each, f"{where}{pointer(index)}", named=False)
    if not isinstance(node, dict):
        return
    if not named:
        reference, kind = node.get("$ref"), node.get("type")
        if isinstance(reference, str) and not reference.startswith("#"):
            yield where or "/", f"$ref {reference!r} points to another file; put what it points to in this document"
        elif isinstance(reference, str) and target(document, reference) is None:
            yield where or "/", f"$ref {reference!r} points to nothing; define it or correct the reference"
        is_array = kind == "array" or (isinstance(kind, list) and "array" in kind)
        if is_array and not node.keys() & {"items", "prefixItems"}:
            yield where or "/", 'the array has no items; say what it contains, such as "items": {"type": "string"}'
    for key, each in node.items():
        if named or (key not in _VALUES and not key.startswith("x-")):
            inside = key in {"properties", "patternProperties"} and not named
            yield from _unsupported(document, each, f"{where}{pointer(key)}", named=inside)


def invalid(document: dict[str, Any]) -> list[str]:
    """Return what the OpenAPI 3.1 specification does not allow in a document, one line each."""
    # Imported here because it is slow to import. Other documents do not need it, because the generator checks them.
    from openapi_spec_validator import OpenAPIV31SpecValidator  # noqa: PLC0415

    lines = []
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        where = pointer(*getattr(error, "absolute_path", ()))
        lines.append(f"  {where or '/'}: {str(error).splitlines()[0][:300]}")
    return lines


def generate(document: dict[str, Any], name: str, into: Path) -> None:
    """Write the package for `document` to the new folder `into`. Raise FailedError if any part is not supported.

    `name` is what messages call the document.
    """
    if lines := unsupported(document):
        raise FailedError("\n".join([f"{name} has parts that the generator does not support:", *lines]))
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    # The generator reads this copy, which is JSON with string keys even if the original is YAML.
    source = into.with_name("openapi.json")
    source.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(source)]
    # Without --fail-on-warning the generator leaves out what it cannot parse, and exits 0.
    command += ["--config", str(CONFIG), "--custom-template-path", str(TEMPLATES), "--meta", "none"]
    command += ["--fail-on-warning", "--output-path", str(into)]
    # The generator calls ruff by name. This makes it find the ruff of this interpreter's environment.
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "TYPER_STANDARD_TRACEBACK": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        problems = _problems(f"{done.stdout}{done.stderr}")
        raise FailedError(f"openapi-python-client cannot generate a client from {name}:\n{problems}")
    (into / "openapi.json").write_text(text, encoding="utf-8")


def _problems(output: str) -> str:
    """Return the problems in the output of the generator, without paths, links and tracebacks."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    if any("Traceback (most recent call last)" in line for line in lines):
        return f"  it crashed: {lines[-1]}"
    chatter = ("Generating ", "Warning(s) ", "Error(s) ", "If you believe ", "    For further information ")
    kept, quoted = [], 0
    for line in lines:
        # The generator quotes the part of the document in question. A few lines are enough to recognize it.
        quoted = quoted + 1 if line.startswith("{") or (quoted and line.startswith((" ", "}"))) else 0
        if quoted <= MAX_QUOTED and not line.startswith(chatter):
            # The generator prints an internal object instead of the status code.
            kept.append(re.sub(" for status code <[^>]*>", "", line))
        elif quoted == MAX_QUOTED + 1:
            kept.append("  ...")
    return "\n".join(f"  {line}" for line in kept)


def replace(new: Path, place: Path) -> None:
    """Replace `place` with `new`. If that fails, restore the old content of `place`."""
    old = new.with_name("old")
    if place.exists():
        place.rename(old)
    try:
        new.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise


def files(tree: Path) -> dict[str, str]:
    """Return the text of every file of a generated package by its relative path."""
    return {
        str(path.relative_to(tree)): path.read_text(encoding="utf-8")
        for path in sorted(tree.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def differences(fresh: Path) -> list[str]:
    """Return the lines of a unified diff from PACKAGE to `fresh`."""
    old, new = files(PACKAGE), files(fresh)
    lines: list[str] = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, "").splitlines(), new.get(name, "").splitlines()
        label = f"generated/mem0_exports_api/{name}"
        lines += difflib.unified_diff(
            before, after, f"{label} (committed)", f"{label} (from openapi.yaml)", "", "", 2, ""
        )
        if (name in old) != (name in new) and before == after:  # an empty file was added or removed
            lines.append(f"{'+' if name in new else '-'} {label}")
    return lines


@contextmanager
def _scratch(beside: Path) -> Iterator[Path]:
    """Yield a temporary folder on the file system of `beside`, so that a package can be renamed into place."""
    parent = next(each for each in beside.absolute().parents if each.is_dir())
    scratch = Path(tempfile.mkdtemp(prefix=".generate-", dir=parent))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def own(*, check: bool, lint: bool) -> int:
    """Generate PACKAGE from SPEC, or only compare the two if `check`. Return the exit status.

    With `lint`, the rules of lint_spec are checked first.
    """
    document = read(SPEC)
    if lines := unsupported(document) or invalid(document):
        raise FailedError("\n".join(["openapi.yaml is not valid:", *lines]))
    if lint and lint_spec.main([str(SPEC)]) != 0:
        return 1
    with _scratch(beside=PACKAGE) as scratch:
        fresh = scratch / PACKAGE.name
        generate(document, SPEC.name, fresh)
        if not check:
            PACKAGE.parent.mkdir(exist_ok=True)
            replace(fresh, PACKAGE)
            return 0
        lines = differences(fresh)
    if lines:
        print("\n".join(lines[:80]))
        print("generated/mem0_exports_api does not match openapi.yaml: run `make generate`", file=sys.stderr)
    return 1 if lines else 0


def other(spec: Path, out: Path, package: str) -> None:
    """Generate the package `out`/`package` from another document."""
    if not package.isidentifier() or keyword.iskeyword(package):
        raise FailedError(f"--package must be a Python identifier, such as petstore_api, got {package!r}")
    place = out / package
    for folder in (place, *place.parents):
        if folder.exists() and not folder.is_dir():
            raise FailedError(f"--out {out} --package {package}: {folder} exists and is not a folder")
    if place.is_dir() and any(place.iterdir()) and not (place / MARKER).is_file():
        raise FailedError(
            f"{place} has files that were not generated by this command, and is left as it is;"
            " choose another --out or --package, or remove it"
        )
    document = read(spec)
    with _scratch(beside=place) as scratch:
        fresh = scratch / package
        generate(document, spec.name, fresh)
        note = f"tools/generate.py wrote this folder from {spec.name}, and replaces it when it runs again.\n"
        (fresh / MARKER).write_text(note, encoding="utf-8")
        out.mkdir(parents=True, exist_ok=True)
        replace(fresh, place)
    print(f"wrote {place}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Generate generated/mem0_exports_api from openapi.yaml, or a client from another document."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if generated/ is stale")
    parser.add_argument("--no-lint", action="store_true", help="do not check the rules of tools/lint_spec.py first")
    parser.add_argument("--spec", type=Path, metavar="FILE", help="another OpenAPI 3.0 or 3.1 document, JSON or YAML")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder to put the package of --spec into")
    parser.add_argument("--package", metavar="NAME", help="the name of the package of --spec")
    arguments = parser.parse_args()
    others = (arguments.spec, arguments.out, arguments.package)
    if any(each is not None for each in others):
        if None in others:
            parser.error("--spec, --out and --package must be given together")
        if arguments.check:
            parser.error("--check works without --spec only")
    try:
        if arguments.spec is None:
            return own(check=arguments.check, lint=not arguments.no_lint)
        other(arguments.spec, arguments.out, arguments.package)
    except (FailedError, UnreadableError) as error:
        print(error, file=sys.stderr)
        return 1
    except RecursionError:
        print(f"{arguments.spec or SPEC.name} is nested too deeply", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"{error.filename} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
