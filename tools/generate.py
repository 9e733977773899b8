"""Make generated/mem0_exports_api from openapi.yaml, or check that it is what openapi.yaml gives.

    python tools/generate.py            regenerate; a failure leaves the old tree alone
    python tools/generate.py --check    exit 1 with a diff where the tree differs from what would be generated

The generated package also carries the spec as openapi.json, so that an installed wheel validates with the same
document and needs no YAML parser.
"""

from __future__ import annotations

import argparse
import difflib
import json
import shutil
import subprocess
import sys
import tempfile

from pathlib import Path

import lint_spec
import yaml

from openapi_spec_validator import validate


ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "openapi.yaml"
CONFIG = ROOT / "codegen.yml"
TARGET = ROOT / "generated" / "mem0_exports_api"


def generate(into: Path) -> None:
    """Write the package for SPEC to the new folder `into`; raises where any part of the spec is not understood."""
    document = yaml.safe_load(SPEC.read_text(encoding="utf-8"))
    validate(document)
    command = ["openapi-python-client", "generate", "--path", str(SPEC), "--config", str(CONFIG)]
    # Without --fail-on-warning the generator drops what it cannot parse, and exits 0.
    command += ["--meta", "none", "--fail-on-warning", "--output-path", str(into)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the generator failed; generated/ is unchanged\n{done.stdout}{done.stderr}")
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (into / "openapi.json").write_text(text + "\n", encoding="utf-8")


def replace(new: Path) -> None:
    """Put `new` in TARGET's place; the old tree comes back if that fails."""
    old = new.with_name("old")
    if TARGET.exists():
        TARGET.rename(old)
    try:
        new.rename(TARGET)
    except OSError:
        if old.exists():
            old.rename(TARGET)
        raise


def files(tree: Path) -> dict[str, str]:
    """Relative path -> text of every file of a generated tree."""
    return {
        str(path.relative_to(tree)): path.read_text(encoding="utf-8")
        for path in sorted(tree.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def differences(fresh: Path) -> list[str]:
    """The lines of a unified diff from TARGET to `fresh`."""
    old, new = files(TARGET), files(fresh)
    lines: list[str] = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, "").splitlines(), new.get(name, "").splitlines()
        label = f"generated/mem0_exports_api/{name}"
        lines += difflib.unified_diff(
            before, after, f"{label} (committed)", f"{label} (from openapi.yaml)", "", "", 2, ""
        )
        if (name in old) != (name in new) and before == after:  # an empty file came or went
            lines.append(f"{'+' if name in new else '-'} {label}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="Generate generated/mem0_exports_api from openapi.yaml.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the tree is stale")
    parser.add_argument("--no-lint", action="store_true", help="do not check the rules of tools/lint_spec.py first")
    arguments = parser.parse_args()
    check = arguments.check
    if not arguments.no_lint and lint_spec.main([str(SPEC)]) != 0:
        return 1
    TARGET.parent.mkdir(exist_ok=True)
    # Beside the target, so that the rename stays on one file system.
    scratch = Path(tempfile.mkdtemp(prefix=".generate-", dir=TARGET.parent))
    try:
        fresh = scratch / "mem0_exports_api"
        generate(fresh)
        if not check:
            replace(fresh)
            return 0
        lines = differences(fresh)
        if lines:
            print("\n".join(lines[:80]))
            print("generated/mem0_exports_api is not what openapi.yaml gives: run `make generate`", file=sys.stderr)
        return 1 if lines else 0
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
