"""Test the options of a language model at a shell, and the commands that check and measure one."""

from __future__ import annotations

import json

import pytest

from mem0_exports import Client, F
from mem0_exports_engine.evaluation.people import person
from tests.support.scripted_model import scripted
from tests.support.serving import served


PEOPLE = [person(seed, language=language) for seed in range(3) for language in ("en", "zh")]
FACTS = {"Nora lives in Cork.": [("city", "Cork")]}
MODEL = """
from pydantic import BaseModel, Field

class Home(BaseModel):
    city: str | None = Field(None, description="The city where the person lives now")
"""


@pytest.fixture
def nora(shop):
    (shop.folder / "home.py").write_text(MODEL)
    assert shop.run("import", "-", given=b'{"memory": "Nora lives in Cork.", "user_id": "nora"}').returncode == 0
    return shop


def options(model, name="m"):
    return ["--llm-url", model.url, "--llm-model", name]


def test_an_export_reads_texts_and_says_where_they_are_sent(nora):
    with scripted(facts=FACTS) as model:
        done = nora.run("export", "run", "home.py:Home", "-u", "nora", *options(model))
        quiet = nora.run("export", "run", "home.py:Home", "-u", "nora", *options(model), "-q")

    assert json.loads(done.stdout) == json.loads(quiet.stdout) == {"city": "Cork"}
    assert b"texts of memories are sent to 127.0.0.1:" in done.stderr
    assert quiet.stderr == b""


def test_the_report_says_where_a_value_stands(nora):
    with scripted(facts=FACTS) as model:
        made = nora.run("export", "create", "home.py:Home", "-u", "nora", "-q", *options(model)).stdout.decode().strip()
    said = nora.run("report", made).stdout.decode()
    document = nora.json("report", made, "--json")

    assert "city: in the text of memory" in said
    assert "characters 14 to 18" in said
    assert "m: " in said
    assert [(each["path"], each["start"], each["end"]) for each in document["evidence"]] == [("city", 14, 18)]
    assert document["usage"]["model"] == "m"


def test_variables_name_the_model_and_options_are_stronger(nora):
    with scripted(facts=FACTS) as model:
        variables = {"MEM0_EXPORTS_LLM_URL": model.url, "MEM0_EXPORTS_LLM_MODEL": "v", "MEM0_EXPORTS_LLM_API_KEY": "sk"}
        nora.run("export", "run", "home.py:Home", "-u", "nora", **variables)
        nora.run("export", "run", "home.py:Home", "-u", "nora", "--llm-model", "o", **variables)

    assert {request["model"] for request in model.requests} == {"v", "o"}


def test_nothing_is_picked_up_unasked(nora):
    with scripted(facts=FACTS) as model:
        others = {"OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": model.url, "OPENAI_API_BASE": model.url}
        done = nora.run("export", "run", "home.py:Home", "-u", "nora", **others)

    assert json.loads(done.stdout) == {"city": None}
    assert model.requests == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--llm-url", "http://127.0.0.1:1/v1"], b"--llm-model"),
        (["--llm-model", "m"], b"--llm-url"),
        (["--llm-url", "ftp://x", "--llm-model", "m"], b"must be the base URL"),
        (["--llm-url", "http://a:b@x/v1", "--llm-model", "m"], b"must not contain a user"),
        (
            ["--llm-url", "http://127.0.0.1:1/v1", "--llm-model", "m", "--base-url", "http://127.0.0.1:9"],
            b"is for --store",
        ),
    ],
    ids=["no model", "no url", "no http", "a password", "a service"],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_sent(nora, arguments, problem):
    done = nora.run("export", "run", "home.py:Home", "-u", "nora", *arguments)

    assert done.returncode in {1, 2}
    assert problem in done.stderr
    assert b"a:b" not in done.stderr


def test_a_model_is_for_a_store_only(nora):
    with scripted(facts=FACTS) as model:
        arguments = ["export", "run", "home.py:Home", "-u", "nora", "--base-url", "http://127.0.0.1:9"]
        done = nora.run(*arguments, *options(model), MEM0_EXPORTS_STORE="")

    assert done.returncode == 1
    assert b"--llm-url is for --store" in done.stderr


def test_a_server_reads_texts(nora):
    with (
        scripted(facts=FACTS) as model,
        served(nora.folder / "memories.db", None, *options(model)) as url,
        Client("none", base_url=url) as client,
    ):
        job = client.exports.create({"type": "object", "properties": {"city": {"type": "string"}}}, F.user_id == "nora")
        assert job.result(timeout=60) == {"city": "Cork"}
        (evidence,) = job.report().evidence

    assert (evidence.path, evidence.how, evidence.start, evidence.end) == ("city", "text", 14, 18)


def test_strict_fails_if_memories_were_not_read(nora):
    with scripted(facts=FACTS) as model:
        model.always = "refuse"
        done = nora.run("export", "run", "home.py:Home", "-u", "nora", "--strict", *options(model))

    assert done.returncode == 7
    assert b"found nothing" in done.stderr or b"not read" in done.stderr


def test_check_of_a_model_that_can_be_used(shop):
    with scripted(PEOPLE) as model:
        done = shop.run("llm", "check", *options(model))

    assert done.returncode == 0, done.stderr.decode()
    assert b"and 0 wrong ones" in done.stdout
    assert b"values are checked by the model" in done.stdout


@pytest.mark.parametrize(("fault", "word"), [("401", b"key"), ("prose", b"not JSON"), ("503", b"503")])
def test_check_of_a_model_that_cannot_be_used(shop, fault, word):
    with scripted(PEOPLE) as model:
        model.always = fault
        done = shop.run("llm", "check", *options(model))

    assert done.returncode == 1
    assert b"it cannot be used like this" in done.stdout
    assert word in done.stdout


def test_check_of_a_service_that_is_not_there(shop):
    done = shop.run("llm", "check", "--llm-url", "http://127.0.0.1:1/v1", "--llm-model", "m")

    assert done.returncode == 1
    assert b"cannot be reached" in done.stdout


def test_bench_of_an_oracle(shop):
    with scripted(PEOPLE) as model:
        done = shop.run("llm", "bench", "--people", "6", "--json", *options(model))
        found = json.loads(done.stdout)
        table = shop.run("llm", "bench", "--people", "6", *options(model)).stdout.decode()

    assert done.returncode == 0
    assert b"6 people" in done.stderr
    for stage in ("raw", "grounded", "checked"):
        assert (found["stages"][stage]["precision"], found["stages"][stage]["recall"]) == (1, 1)
    for stage in ("grounded", "checked"):
        figures = found["stages"][stage]
        assert figures["citations"] == figures["citations_valid"] == figures["citations_right"] > 0
    assert "precision             1.00      1.00      1.00" in table


def test_bench_of_a_model_that_believes_everything(shop):
    """It answers with the traps, and says yes to every question, so that it may not check."""
    traps = {
        each.text: [(each.field, each.value)]
        for who in PEOPLE
        for each in who.memories
        if each.kind in {"fact", "stale", "other", "hypothetical", "negated"}
    }
    with scripted(facts=traps) as model:
        read = model.answer
        model.answer = lambda request: (
            {"answer": "yes"} if "The statement" in request["messages"][1]["content"] else read(request)
        )
        done = shop.run("llm", "bench", "--people", "6", "--json", *options(model))
    found = json.loads(done.stdout)

    assert found["stages"]["grounded"]["precision"] < 1
    assert found["stages"]["grounded"]["unsupported"] == 0
    assert sum(found["stages"]["grounded"]["traps"].values()) > 0
    assert any("only 6 of 12" in note for note in found["notes"])


def test_bench_ends_when_its_tokens_are_used_up(shop):
    with scripted(PEOPLE) as model:
        done = shop.run("llm", "bench", "--people", "6", "--json", *options(model), "--llm-max-tokens", "9000")
    found = json.loads(done.stdout)

    assert done.returncode == 7
    assert found["usage"]["tokens_in"] + found["usage"]["tokens_out"] <= 9000
    assert found["people"] < 6 or found["unread"] > 0
