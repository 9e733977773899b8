"""Test code generation in a copy of the project: reproducible, checked for drift, and without effect if it fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

from pathlib import Path

import pytest
import yaml


ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    for name in ("openapi.yaml", "codegen.yml"):
        shutil.copy(ROOT / name, root / name)
    for name in ("tools", "generated"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def generate(project, *arguments, cwd=None, path=os.environ["PATH"]):
    return subprocess.run(
        [sys.executable, project / "tools" / "generate.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PATH": path},
    )


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_generated_code_matches_the_spec_and_is_the_same_every_time(project):
    before = tree(project / "generated")

    assert generate(project, "--check").returncode == 0
    assert generate(project).returncode == 0
    once = tree(project / "generated")
    assert generate(project).returncode == 0

    assert before == once == tree(project / "generated")


def test_check_reports_a_manual_edit_of_generated_code(project):
    edited = project / "generated" / "mem0_exports_api" / "models" / "ping.py"
    edited.write_text(edited.read_text().replace("status", "state"))

    done = generate(project, "--check")

    assert done.returncode == 1
    assert "models/ping.py" in done.stdout
    assert "make generate" in done.stderr


def test_check_reports_a_change_of_the_spec_without_regeneration(project):
    before = tree(project / "generated")
    change(project, "user_email:\n          type: [string", "user_mail:\n          type: [string")

    done = generate(project, "--check")

    assert done.returncode == 1
    assert "user_mail" in done.stdout
    assert tree(project / "generated") == before, "--check writes nothing"


def change(project, old, new):
    spec = project / "openapi.yaml"
    assert spec.read_text().count(old) == 1
    spec.write_text(spec.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("openapi: 3.1.0", "openapi: [broken", "openapi.yaml is not valid YAML"),
        (
            '$ref: "#/components/schemas/Ping"',
            '$ref: "#/components/schemas/None"',
            "/get/responses/200/content/application~1json/schema: $ref '#/components/schemas/None' points to nothing",
        ),
        ("operationId: ping", "operationId: exports_get", "exports_get"),
        ('application/json:\n              schema:\n                $ref: "#/components/schemas/Ping"',
         'application/xml:\n              schema:\n                $ref: "#/components/schemas/Ping"',
         "application/json only: the engine reads and sends JSON"),
        ("      name: page\n      in: query", "      name: page\n      in: cookie", "openapi.yaml: 1 finding"),
    ],
    ids=["not YAML", "a reference to nothing", "a duplicate operationId", "another content type", "a cookie parameter"],
)  # fmt: skip
def test_a_failed_generation_changes_nothing_and_says_why(project, old, new, message):
    before = tree(project)
    change(project, old, new)

    done = generate(project)

    assert done.returncode == 1
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "alex@example.com" not in done.stderr, "a message shows only the first lines of what it quotes"
    assert tree(project / "generated") == {
        name.removeprefix("generated/"): content for name, content in before.items() if name.startswith("generated/")
    }


PETS = {
    "openapi": "3.0.3",
    "info": {"title": "Pets", "version": "1"},
    "paths": {
        "/pets/{name}": {
            "get": {
                "operationId": "find_pet",
                "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {
                    "200": {
                        "description": "A pet.",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}},
                    }
                },
            }
        }
    },
    "components": {
        "schemas": {
            "Pet": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "born": {"type": "string", "format": "date", "example": "2020-01-01"},
                    "owner": {"type": "string", "nullable": True},
                    "items": {"type": "array", "items": {"type": "string"}},
                    "$ref": {"type": "string", "description": "A property that is called so."},
                },
                "example": {"type": "array", "$ref": "data"},
            }
        }
    },
}


def with_pet(**properties):
    document = json.loads(json.dumps(PETS))
    document["components"]["schemas"]["Pet"]["properties"] |= properties
    return json.dumps(document)


def other(project, tmp_path, text, *, name="pets.json", package="pets_api", **options):
    spec = tmp_path / name
    spec.write_text(text, encoding="utf-8")
    return generate(project, "--spec", spec, "--out", tmp_path / "out", "--package", package, **options)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pets.json", json.dumps(PETS)),
        ("pets.json", json.dumps(PETS, indent="\t")),
        ("pets.yaml", json.dumps(PETS, indent="\t")),
        ("pets.yaml", yaml.safe_dump(PETS).replace("'2020-01-01'", "2020-01-01").replace("'200'", "200")),
        ("pets.yaml", yaml.safe_dump(PETS, default_flow_style=True)),
        ("pets", "\ufeff" + json.dumps({**PETS, "openapi": "3.1.0"})),
    ],
    ids=[
        "JSON",
        "tabs",
        "JSON in a .yaml file",
        "YAML with a date and a number as a key",
        "flow YAML",
        "3.1 with a BOM",
    ],
)
def test_another_document_becomes_a_client_that_reads_its_responses(project, tmp_path, name, text):
    before = tree(project / "generated")

    done = other(project, tmp_path, text, name=name)

    assert (done.returncode, done.stderr) == (0, "")
    used = subprocess.run(
        [sys.executable, "-c", READ_A_PET], cwd=tmp_path / "out", capture_output=True, text=True, check=False
    )
    assert (used.stdout, used.stderr) == ("get /pets/bo datetime.date(2020, 1, 1)\n", "")
    assert json.loads((tmp_path / "out" / "pets_api" / "openapi.json").read_text())["paths"] == PETS["paths"]
    assert tree(project / "generated") == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["pets_api"], "no temporary file is left"


READ_A_PET = """
from pets_api.api.default.find_pet import _get_kwargs
from pets_api.models import Pet
request = _get_kwargs("bo")
print(request["method"], request["url"], repr(Pet.from_dict({"name": "bo", "born": "2020-01-01"}).born))
"""


def test_the_generator_is_found_without_the_environment_on_the_path(project, tmp_path):
    folders = os.environ["PATH"].split(os.pathsep)
    path = os.pathsep.join(each for each in folders if shutil.which("openapi-python-client", path=each) is None)
    assert shutil.which("openapi-python-client", path=path) is None

    assert generate(project, "--check", cwd=tmp_path, path=path).returncode == 0
    assert other(project, tmp_path, json.dumps(PETS), path=path).returncode == 0


def test_a_generated_folder_is_replaced_and_its_neighbours_stay(project, tmp_path):
    assert other(project, tmp_path, with_pet(colour={"type": "string"})).returncode == 0
    (tmp_path / "out" / "mine.py").write_text("mine")

    done = other(project, tmp_path, json.dumps(PETS))

    assert done.returncode == 0
    assert "colour" not in (tmp_path / "out" / "pets_api" / "models" / "pet.py").read_text()
    assert (tmp_path / "out" / "mine.py").read_text() == "mine"


def test_an_empty_folder_is_used(project, tmp_path):
    (tmp_path / "out" / "pets_api").mkdir(parents=True)

    assert other(project, tmp_path, json.dumps(PETS)).returncode == 0


UNUSABLE = {
    "an array without items": (with_pet(toys={"type": "array"}), "/components/schemas/Pet/properties/toys: the array has no items"),
    "a nullable array without items": (with_pet(toys={"type": ["array", "null"]}), "properties/toys: the array has no items"),
    "a reference to nothing": (with_pet(toys={"$ref": "#/components/schemas/Toy"}), "/components/schemas/Pet/properties/toys: $ref '#/components/schemas/Toy' points to nothing"),
    "a reference to another file": (with_pet(toys={"$ref": "toys.yaml#/Toy"}), "$ref 'toys.yaml#/Toy' points to another file"),
    "what the generator does not read": (with_pet(toys={"type": "string", "enum": ["a", 5]}), "Unable to process schema /components/schemas/Pet:\n  Got {<class 'int'>, <class 'str'>}"),
    "what makes the generator crash": (json.dumps({**PETS, "components": {"schemas": {"Pet": {"$ref": "#/components/schemas/Pet"}}}}), "it crashed: UnboundLocalError"),
    "broken JSON": ('{"openapi": "3.0.3",', "pets.json is not valid JSON: Expecting property name enclosed in double quotes (line 1, column 21)"),
    "broken YAML": ("openapi: 3.0.3\ninfo: [", "pets.json is not valid YAML:"),
    "an alias of itself": ("openapi: 3.0.3\npaths: &a\n  x: *a\n", "pets.json cannot be written as JSON: Circular reference detected"),
    "endless nesting": ("{" + '"a":[' * 100_000, "pets.json is nested too deeply"),
    "no object": ("[]", "pets.json is not an OpenAPI document: it must be an object"),
    "no version": ("paths: {}", "pets.json is not an OpenAPI document of version 3.0 or 3.1: it has no key openapi"),
    "Swagger 2": ('swagger: "2.0"', "its version is '2.0'"),
    "OpenAPI 4": ('openapi: "4.0.0"', "its version is '4.0.0'"),
    "paths as a list": ('{"openapi": "3.0.3", "paths": []}', "paths must be an object"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_document_that_cannot_be_used_is_refused_with_a_clear_message(project, tmp_path, name):
    text, message = UNUSABLE[name]

    done = other(project, tmp_path, text)

    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pets.json", "project"], "no temporary file is left"


def test_every_unusable_part_is_reported_at_once(project, tmp_path):
    done = other(project, tmp_path, with_pet(toys={"type": "array"}, home={"$ref": "#/none"}))

    assert "properties/toys: the array" in done.stderr
    assert "properties/home: $ref" in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "missing.json does not exist"), (b"\xff\xfe\x00", "missing.json is not a text file in UTF-8")],
)
def test_a_file_that_cannot_be_read_is_refused(project, tmp_path, content, message):
    if content is not None:
        (tmp_path / "missing.json").write_bytes(content)

    done = generate(project, "--spec", "missing.json", "--out", "out", "--package", "pets_api", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (1, f"{message}\n")


def test_a_folder_with_files_that_were_not_generated_is_never_replaced(project, tmp_path):
    mine = tmp_path / "out" / "pets_api" / "mine.py"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")

    done = other(project, tmp_path, json.dumps(PETS))

    assert done.returncode == 1
    assert "has files that were not generated by this command, and is left as it is" in done.stderr
    assert tree(tmp_path / "out") == {str(Path("pets_api", "mine.py")): b"mine"}


def test_a_file_in_place_of_the_folder_is_refused(project, tmp_path):
    (tmp_path / "out").write_text("mine")

    done = other(project, tmp_path, json.dumps(PETS))

    assert done.returncode == 1
    assert "out exists and is not a folder" in done.stderr
    assert (tmp_path / "out").read_text() == "mine"


def test_a_failed_generation_leaves_the_generated_folder_as_it_was(project, tmp_path):
    assert other(project, tmp_path, json.dumps(PETS)).returncode == 0
    before = tree(tmp_path / "out")

    assert other(project, tmp_path, with_pet(toys={"type": "string", "enum": ["a", 5]})).returncode == 1

    assert tree(tmp_path / "out") == before


@pytest.mark.parametrize("package", ["1pets", "pets-api", "class", "", "../pets", "a.b"])
def test_a_package_name_must_be_an_identifier(project, tmp_path, package):
    done = other(project, tmp_path, json.dumps(PETS), package=package)

    assert done.returncode == 1
    assert done.stderr == f"--package must be a Python identifier, such as petstore_api, got {package!r}\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--spec", "a.json"], "--spec, --out and --package must be given together"),
        (["--out", "a", "--package", "b"], "--spec, --out and --package must be given together"),
        (["--spec", "a.json", "--out", "a", "--package", "b", "--check"], "--check works without --spec only"),
    ],
)
def test_options_that_do_not_go_together_are_refused(project, arguments, message):
    done = generate(project, *arguments)

    assert done.returncode == 2
    assert message in done.stderr
