"""Test that an export that found nothing, or from which records were left out, warns or raises on every path."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
import httpx
import pytest

from pydantic import BaseModel, Field

from mem0_exports import (
    AsyncClient,
    Client,
    ExportIncomplete,
    ExportReport,
    ExportRequest,
    ExportWarning,
    F,
    From,
    InputError,
    Ledger,
    NotFound,
    Retry,
    Schema,
)
from tests.support.blocking import blocking
from tests.support.serving import served
from tests.support.timeouts import scaled


SOURCE = Path(__file__).read_text(encoding="utf-8").splitlines()
EXPORT_ID = "550e8400-e29b-41d4-a716-446655440000"


class Address(BaseModel):
    city: str | None = None


class Profile(BaseModel):
    name: str | None = None
    hobbies: list[str] = []
    address: Address = Address()
    level: int = 3
    kind: Literal["profile"] = "profile"
    memories: Annotated[int, From.count()] = 0


class Visit(BaseModel):
    place: str
    day: str | None = None


def fill(client: Any) -> None:
    """Store memories of jon (texts alone), of mara (two visits, one without its place) and of ana (a whole visit)."""
    client.memories.add("Jon lives in Lisbon", user_id="jon")
    client.memories.add("Mara was in Porto", user_id="mara", metadata={"place": "Porto", "day": "2025-03-04"})
    client.memories.add("Mara was somewhere", user_id="mara", metadata={"day": "2025-03-05"})
    client.memories.add(
        "Ana was in Faro", user_id="ana", metadata={"place": "Faro", "day": "2025-03-06", "name": "Ana"}
    )


@pytest.fixture(scope="module", params=["sync", "async", "served"])
def client(request, tmp_path_factory):
    """A client of the embedded engine: sync, async (its methods block), and over HTTP."""
    if request.param == "sync":
        with Client.local() as opened:
            fill(opened)
            yield opened
    elif request.param == "async":
        with blocking(AsyncClient.local()) as opened:
            fill(opened)
            yield opened
    else:
        with (
            served(tmp_path_factory.mktemp("store") / "memories.db", "key") as url,
            Client("key", base_url=url, timeout=scaled(30)) as opened,
        ):
            fill(opened)
            yield opened


def warned(call: Any) -> ExportWarning:
    """Return the only warning of a call."""
    with warnings.catch_warnings(record=True, action="always") as caught:
        call()
    assert [each.category for each in caught] == [ExportWarning]
    found = caught[0].message
    assert isinstance(found, ExportWarning)
    return found


@pytest.mark.parametrize(
    ("schema", "user", "reason"),
    [
        (Profile, "jon", "1 memory was read, and no field was filled. name: no memory field or metadata key"),
        (Profile, "jhon", "the filter selects no memories"),
        (list[Visit], "jon", "no value for the required field place"),
        (list[Visit], "jhon", "the filter selects no memories"),
        (Profile.model_json_schema(), "jon", "no field was filled"),
        (list[Visit], "mara", "1 record was left out of export"),
        (dict[str, Visit], "jhon", "the filter selects no memories"),
    ],
)
def test_warns_with_the_main_reason_and_the_id(client, schema, user, reason):
    ids: list[str] = []

    def run() -> None:
        job = client.exports.create(schema, F.user_id == user)
        ids.append(job.id)
        job.result(timeout=scaled(60))

    found = warned(run)

    assert reason in str(found)
    assert found.export_id == ids[0]
    assert ids[0] in str(found)
    assert found.report == client.exports.report(ids[0])


def test_says_nothing_about_a_complete_export(client):
    with warnings.catch_warnings(action="error"):
        assert client.exports.run(list[Visit], F.user_id == "ana") == [Visit(place="Faro", day="2025-03-06")]
        assert client.exports.run(Profile, F.user_id == "ana", strict=True).name == "Ana"


def test_a_memory_without_any_value_of_a_record_is_no_record_that_was_left_out(client):
    with warnings.catch_warnings(action="error"):
        visits = client.exports.run(list[Visit], F.user_id.in_("ana", "jon"), strict=True)

    assert visits == [Visit(place="Faro", day="2025-03-06")]


@pytest.mark.parametrize(
    "wait",
    [
        lambda client, where: client.exports.run(list[Visit], where, strict=True),
        lambda client, where: client.exports.create(list[Visit], where).result(timeout=scaled(60), strict=True),
        lambda client, where: next(
            iter(client.exports.run_many([ExportRequest(list[Visit], where)], strict=True))
        ).result(),
    ],
    ids=["run", "result", "run_many"],
)
@pytest.mark.parametrize(("user", "data"), [("jhon", {"items": []}), ("mara", {"items": [{"place": "Porto", "day": "2025-03-04"}]})])  # fmt: skip
def test_strict_raises_with_the_data_and_the_report(client, wait, user, data):
    with pytest.raises(ExportIncomplete) as incomplete:
        wait(client, F.user_id == user)

    error = incomplete.value
    assert error.data == data
    assert error.export_id in str(error)
    assert error.report == client.exports.report(error.export_id)


def test_poll_warns_and_raises_too(client):
    job = client.exports.create(Profile, F.user_id == "jhon")
    with warnings.catch_warnings(action="ignore"):
        job.result(timeout=scaled(60))

    assert "found nothing" in str(warned(job.poll))
    with pytest.raises(ExportIncomplete):
        job.poll(strict=True)


def test_run_many_warns_once_with_the_count_and_each_outcome_has_its_warning(client):
    requests = [ExportRequest(Profile, F.user_id == user, tag=user) for user in ("jon", "ana", "jhon")]
    outcomes: list[Any] = []

    found = warned(lambda: outcomes.extend(client.exports.run_many(requests, ordered=True)))

    assert str(found).startswith("2 of 3 exports found nothing")
    assert [outcome.status for outcome in outcomes] == ["ready"] * 3
    assert [outcome.warning is not None for outcome in outcomes] == [True, False, True]
    assert [outcome.report is not None for outcome in outcomes] == [True, False, True]
    assert all(outcome.warning.export_id == outcome.export_id for outcome in outcomes if outcome.warning)


def test_run_many_has_all_reports_if_they_are_wanted(client):
    requests = [ExportRequest(Profile, F.user_id == user) for user in ("jon", "ana")]

    with warnings.catch_warnings(action="ignore"):
        outcomes = list(client.exports.run_many(requests, reports=True))

    assert [outcome.report for outcome in outcomes] == [client.exports.report(each.export_id) for each in outcomes]
    assert {outcome.report.memories for outcome in outcomes} == {1}


def test_on_report_gets_the_report_of_run_and_result(client):
    reports: list[ExportReport | None] = []

    client.exports.run(Profile, F.user_id == "ana", on_report=reports.append)
    job = client.exports.create(Profile, F.user_id == "ana")
    job.result(timeout=scaled(60), on_report=reports.append)

    assert reports[1] == job.report()
    for report in reports:
        assert report is not None
        assert (report.memories, report.left_out, [*report.filled]) == (1, 0, ["name"])
        assert {gap.path for gap in report.gaps} == {"hobbies", "address", "level", "kind"}


def test_report_of_an_unknown_export_is_not_found(client):
    with pytest.raises(NotFound):
        client.exports.report(EXPORT_ID)
    with pytest.raises(InputError, match="which is a UUID"):
        client.exports.report("my export")


def test_a_result_from_a_ledger_warns_again(tmp_path):
    with Client.local() as client, Ledger(tmp_path / "ledger.db") as ledger:
        found = [warned(lambda: client.exports.run(Profile, F.user_id == "jhon", ledger=ledger)) for _ in range(2)]
        with pytest.raises(ExportIncomplete):
            client.exports.run(Profile, F.user_id == "jhon", ledger=ledger, strict=True)

    assert found[0].export_id == found[1].export_id
    assert "every field has its default value" in str(found[1]), "the ledger has no reports"


# ---- where the warning points --------------------------------------------------------------------------------------


def lines(caught: list[warnings.WarningMessage]) -> list[str]:
    assert {each.filename for each in caught} == {__file__}
    return [SOURCE[each.lineno - 1].strip() for each in caught]


def test_warns_at_the_line_of_the_caller():
    with Client.local() as client, warnings.catch_warnings(record=True, action="always") as caught:
        client.exports.run(Profile, F.user_id == "a")
        job = client.exports.create(Profile, F.user_id == "a")
        job.result()
        job.poll()
        outcomes = client.exports.run_many([ExportRequest(Profile, F.user_id == "a")])
        list(outcomes)

    assert lines(caught) == [
        'client.exports.run(Profile, F.user_id == "a")',
        "job.result()",
        "job.poll()",
        'outcomes = client.exports.run_many([ExportRequest(Profile, F.user_id == "a")])',
    ]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_warns_at_the_line_of_the_await(backend):
    async def main() -> None:
        async with AsyncClient.local() as client:
            await client.exports.run(Profile, F.user_id == "a")
            job = await client.exports.create(Profile, F.user_id == "a")
            await job.result()

    with warnings.catch_warnings(record=True, action="always") as caught:
        anyio.run(main, backend=backend)

    assert lines(caught) == ['await client.exports.run(Profile, F.user_id == "a")', "await job.result()"]


def test_python_shows_the_warning_of_every_export_in_a_loop(tmp_path):
    script = tmp_path / "loop.py"
    script.write_text(
        "from mem0_exports import Client, F\n"
        "with Client.local() as client:\n"
        "    for _ in range(3):\n"
        "        client.exports.run({'type': 'object', 'properties': {'a': {}}}, F.user_id == 'a')\n",
        encoding="utf-8",
    )

    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=scaled(60))

    assert [line.split(":")[1] for line in done.stderr.splitlines() if "ExportWarning" in line] == ["4", "4", "4"]


# ---- other services ------------------------------------------------------------------------------------------------


class Service(httpx.BaseTransport):
    """Answers like a service without reports, or with the header of one that has them."""

    def __init__(self, result: Any, left_out: str | None = None, report: httpx.Response | None = None) -> None:
        self.paths: list[str] = []
        self._result = result
        self._headers = {} if left_out is None else {"Mem0-Exports-Left-Out": left_out}
        self._report = report or httpx.Response(500)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        if request.url.path == "/v1/exports/":
            return httpx.Response(201, json={"message": "ok", "id": EXPORT_ID})
        if request.url.path == "/v1/exports/get/":
            return httpx.Response(200, json=self._result, headers=self._headers)
        return self._report


def client_of(service: Service) -> Client:
    return Client("m0-key", base_url="https://service.example", transport=service, retry=Retry(attempts=1))


@pytest.mark.parametrize("left_out", [None, "x", "-1", "9" * 30], ids=str)
def test_asks_a_service_without_reports_for_none(left_out):
    service = Service({"name": None}, left_out)
    reports: list[ExportReport | None] = []

    with client_of(service) as client:
        found = warned(lambda: client.exports.run(Profile, F.user_id == "a", on_report=reports.append))

    assert "client.entities.list() lists the ids" in str(found)
    assert (found.report, reports) == (None, [None])
    assert service.paths == ["/v1/exports/", "/v1/exports/get/"]


def test_keeps_the_result_if_the_report_cannot_be_had():
    service = Service({"items": [{"place": "Porto"}]}, "2")

    with client_of(service) as client, pytest.warns(ExportWarning, match="2 records were left out") as caught:
        assert client.exports.run(list[Visit], F.user_id == "a") == [Visit(place="Porto")]

    assert caught[0].message.report is None


# ---- what counts as nothing ----------------------------------------------------------------------------------------


class Counted(BaseModel):
    memories: Annotated[int, From.count()]


class Node(BaseModel):
    name: str | None = None
    children: list[Node] = []


class Aliased(BaseModel):
    full_name: str = Field("unknown", alias="fullName")


NOTHING: list[tuple[Any, Any]] = [
    (Profile, {}),
    (Profile, {"name": None, "hobbies": [], "address": {"city": None}, "level": 3, "kind": "profile", "memories": 7}),
    (Profile, {"name": ""}),
    (Profile, {"address": {}}),
    (Profile, {"mem0_notice": "claim your account"}),
    (Profile | None, {"items": None}),
    (list[Visit], {"items": []}),
    (list[Profile], {"items": [{"name": None}, {}]}),
    (dict[str, int], {}),
    (Node, {"children": [{"name": None}, {"children": []}]}),
    (Aliased, {"fullName": "unknown"}),
    ({"type": "object", "properties": {"a": {"default": False}}}, {"a": False}),
    ({"type": "object", "anyOf": [{"properties": {"a": {"const": "a"}}}, {"properties": {"b": {}}}]}, {"a": "a"}),
]
SOMETHING: list[tuple[Any, Any]] = [
    (Profile, {"name": "Ana"}),
    (Profile, {"level": 4}),
    (Profile, {"address": {"city": "Faro"}}),
    (Profile, {"hobbies": ["chess"]}),
    (Counted, {"memories": 0}),
    (list[Visit], {"items": [{"place": "Porto"}]}),
    (list[int], {"items": [0]}),
    (dict[str, int], {"a": 0}),
    (Node, {"children": [{"children": [{"name": "Ana"}]}]}),
    (Aliased, {"fullName": "Ana"}),
    ({"type": "object", "properties": {"a": {"default": False}}}, {"a": 0}),
    ({"type": "object"}, {"mem0": "x"}),
    ({"type": "object", "properties": {"mem0_notice": {}}}, {"mem0_notice": "x"}),
]


@pytest.mark.parametrize(("source", "data"), NOTHING, ids=str)
def test_defaults_and_empty_values_are_nothing(source, data):
    assert Schema.of(source).found_nothing(json.dumps(data).encode())


@pytest.mark.parametrize(("source", "data"), SOMETHING, ids=str)
def test_any_other_value_is_something(source, data):
    assert not Schema.of(source).found_nothing(json.dumps(data).encode())


def test_a_result_that_is_nested_too_deep_to_be_followed_is_something():
    deep = b'{"a": ' + b"[" * 900 + b"1" + b"]" * 900 + b"}"

    assert not Schema.of({"type": "object"}, validate="off").found_nothing(deep)
