"""Test that dear work survives: answers are kept before the next call, and nothing that was answered is asked again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import tracemalloc

from contextlib import closing
from pathlib import Path

import pytest

from mem0_exports import LLM, Client, ExportFailed, ExportTimeout, F
from mem0_exports_engine.store import open_store
from tests.support.scripted_model import scripted
from tests.support.timeouts import scaled, wait_until
from tests.unit.engine.extract.llm.reading import CITY, LONG, export, imported, records


TEXTS = [f"Note {number}. {LONG}" for number in range(8)]
"""Each is a chunk of its own."""


def model_of(url, **more):
    return LLM(url, model="m", **{"check": "off", "context": 1000, "concurrency": 1, **more})


def test_the_same_export_again_asks_nothing_and_a_new_memory_only_its_chunk(tmp_path):
    with scripted() as model:
        model.answer = lambda _: {"city": None}
        for expected in (len(TEXTS), len(TEXTS), len(TEXTS) + 1):
            with Client.local(tmp_path / "store.db", llm=model_of(model.url)) as client:
                imported(client, records(*TEXTS))
                if expected > len(TEXTS):
                    imported(client, records(*TEXTS, f"New. {LONG}")[-1:])
                with pytest.warns(match="found nothing"):
                    _, report, _ = export(client, CITY)

            assert len(model.requests) == expected
        assert (report.usage.calls, report.usage.cached) == (1, len(TEXTS))


def test_answers_are_kept_apart_by_everything_they_depend_on(tmp_path):
    with scripted() as model:
        model.answer = lambda _: {"city": None}

        def run(llm, schema=CITY, project="local", **more):
            before = len(model.requests)
            with Client.local(tmp_path / "store.db", llm=llm, project=project) as client:
                imported(client, records("Alex likes tea."))
                with pytest.warns(match="found nothing"):
                    export(client, schema, **more)
            return len(model.requests) - before

        same = {"url": model.url, "model": "m", "check": "off"}
        other = {"type": "object", "properties": {"city": {"type": "string", "description": "another"}}}
        assert run(LLM(**same)) == 1
        assert run(LLM(**same)) == 0
        assert run(LLM(**{**same, "model": "n"})) == 1
        assert run(LLM(**same, seed=1)) == 1
        assert run(LLM(**same, temperature=0.5)) == 1
        assert run(LLM(**same, extra={"top_p": 0.5})) == 1
        assert run(LLM(**same), schema=other) == 1
        assert run(LLM(**same), instructions="Be exact.") == 1
        assert run(LLM(**same), project="other") == 1


PROGRAM = """
import sys
from mem0_exports import LLM, Client, F
llm = LLM(sys.argv[2], model="m", check="off", context=1000, concurrency=1)
with Client.local(sys.argv[1], llm=llm) as client:
    client.exports.get(sys.argv[3], dict).result(timeout=600)
"""


class Gate:
    """Answers a given number of requests, and holds the next one until it is told to let go."""

    def __init__(self, model):
        self.answered = []
        self.is_holding = threading.Event()
        self._allowed = 0
        self._let_go = threading.Event()
        self._lock = threading.Lock()
        model.before = self._arrive

    def _arrive(self, request):
        with self._lock:
            let_go = self._let_go
            if self._allowed:
                self._allowed -= 1
                self.answered.append(json.dumps(request, sort_keys=True))
                return
        self.is_holding.set()
        let_go.wait(scaled(60))

    def allow(self, count):
        with self._lock:
            self._allowed = count
            self.is_holding.clear()

    def let_go(self):
        """Answer the request that is held, if its client is still there."""
        with self._lock:
            self._let_go.set()
            self._let_go = threading.Event()


def test_kill_between_any_two_calls_repeats_none(tmp_path):
    """Each process makes one call, and is killed as soon as its next one arrives."""
    path = tmp_path / "store.db"
    with scripted() as model:
        model.answer = lambda _: {"city": None}
        gate = Gate(model)
        with Client.local(path, llm=model_of(model.url)) as client:
            imported(client, records(*TEXTS))
            client.engine.workers.stop()
            job = client.exports.create(CITY, F.user_id == "alex")
        for _ in TEXTS[1:]:
            gate.allow(1)
            process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path), model.url, job.id])
            try:
                wait_until(gate.is_holding.is_set, "the next call", 60)
            finally:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
            gate.let_go()
            end_the_lease(path)
        gate.allow(len(TEXTS))
        with Client.local(path, llm=model_of(model.url)) as client, pytest.warns(match="found nothing"):
            assert client.exports.get(job.id, dict).result(timeout=60) == {}

    assert len(gate.answered) == len({*gate.answered}) == len(TEXTS)


def end_the_lease(path: Path) -> None:
    """End the lease of the killed worker, as a minute would, and forget that it crashed."""
    with closing(open_store(path)) as store, store.database.write() as connection:
        connection.execute("UPDATE exports SET available_us = 1, lost = 0 WHERE available_us IS NOT NULL")


def test_a_model_job_holds_no_other_job_up(tmp_path):
    """An export that needs no model is made while a model job is in the middle of a call."""
    with scripted() as model:
        model.answer = lambda _: {"city": None}
        gate = Gate(model)
        with Client.local(tmp_path / "store.db", llm=model_of(model.url)) as client:
            imported(client, [*records(*TEXTS[:2]), *records("Mara", user="mara", metadata={"city": "Cork"})])
            slow = client.exports.create(CITY, F.user_id == "alex")
            wait_until(gate.is_holding.is_set, "the first call")

            assert client.exports.run(CITY, F.user_id == "mara", timeout=60) == {"city": "Cork"}
            assert client.engine.progress(slow.id) == (0, 2)
            gate.allow(2)
            gate.let_go()
            with pytest.warns(match="found nothing"):
                slow.result(timeout=60)

            wait_until(lambda: client.engine.progress(slow.id) is None, "the worker is done")


def test_no_call_begins_after_a_cancel(tmp_path):
    with scripted() as model:
        model.answer = lambda _: {"city": None}
        gate = Gate(model)
        with Client.local(tmp_path / "store.db", llm=model_of(model.url)) as client:
            imported(client, records(*TEXTS))
            job = client.exports.create(CITY, F.user_id == "alex")
            wait_until(gate.is_holding.is_set, "the first call")
            job.cancel()
            gate.allow(100)
            gate.let_go()
            with pytest.raises(ExportFailed, match="cancel"):
                job.result(timeout=60)
            wait_until(lambda: client.engine.progress(job.id) is None, "the worker has noticed")

        assert len(model.requests) == 1


def test_a_stop_hands_the_job_back_between_calls_and_keeps_what_was_answered(tmp_path):
    with scripted() as model:
        model.answer = lambda _: {"city": None}
        gate = Gate(model)
        gate.allow(2)
        with Client.local(tmp_path / "store.db", llm=model_of(model.url)) as client:
            imported(client, records(*TEXTS))
            job = client.exports.create(CITY, F.user_id == "alex")
            wait_until(gate.is_holding.is_set, "the third call")
            client.engine.close(grace=0.5)
        gate.let_go()
        gate.allow(100)
        with (
            Client.local(tmp_path / "store.db", llm=model_of(model.url)) as client,
            pytest.warns(match="found nothing"),
        ):
            client.exports.get(job.id, dict).result(timeout=60)

    assert len(gate.answered) == len({*gate.answered}) == len(TEXTS)


def test_an_answer_that_was_cut_is_not_asked_for_again_after_a_stop(tmp_path):
    """A chunk of three memories is too long. The split is known when the export goes on."""
    with scripted() as model:
        model.answer = lambda _: {"city": None}
        model.faults = ["cut"]
        gate = Gate(model)
        gate.allow(2)
        with Client.local(tmp_path / "store.db", llm=model_of(model.url)) as client:
            imported(client, records("One.", "Two.", "Three."))
            job = client.exports.create(CITY, F.user_id == "alex")
            wait_until(gate.is_holding.is_set, "the third call")
            client.engine.close(grace=0.5)
        gate.let_go()
        gate.allow(100)
        with (
            Client.local(tmp_path / "store.db", llm=model_of(model.url)) as client,
            pytest.warns(match="found nothing"),
        ):
            client.exports.get(job.id, dict).result(timeout=60)

    assert len(gate.answered) == len({*gate.answered}) == 3


def test_an_engine_without_a_model_finishes_what_one_with_a_model_has_left(tmp_path):
    with scripted() as model:
        gate = Gate(model)
        with Client.local(tmp_path / "store.db", llm=model_of(model.url)) as client:
            imported(client, records(*TEXTS[:1]))
            job = client.exports.create(CITY, F.user_id == "alex")
            wait_until(gate.is_holding.is_set, "the first call")
            client.engine.close(grace=0.5)
        gate.let_go()
        with Client.local(tmp_path / "store.db") as client:
            with pytest.raises(ExportTimeout):  # the engine with the model could come back
                client.exports.get(job.id, dict).result(timeout=2)
            end_the_lease(tmp_path / "store.db")
            with pytest.warns(match="found nothing"):
                assert client.exports.get(job.id, dict).result(timeout=60) == {}


def test_engines_with_and_without_a_model_share_a_store(tmp_path):
    """Each export is made as its own engine would, whichever of them is quicker."""
    path = tmp_path / "store.db"
    with scripted(facts={"Alex lives in Lisbon.": [("city", "Lisbon")]}) as model:
        with Client.local(path, llm=model_of(model.url)) as reading, Client.local(path) as plain:
            imported(plain, records("Alex lives in Lisbon."))
            for _ in range(5):
                assert reading.exports.run(CITY, F.user_id == "alex", timeout=60) == {"city": "Lisbon"}
            asked = len(model.requests)
            plain.engine.workers.stop()
            with pytest.warns(match="found nothing"):
                assert plain.exports.run(CITY, F.user_id == "alex", timeout=60) == {}

        assert len(model.requests) == asked == 1


@pytest.mark.parametrize("refused", [0, 4])
def test_calls_are_made_at_the_same_time_up_to_the_limit_and_fewer_if_refused(refused):
    with scripted() as model:
        model.answer = lambda _: {"city": None}
        model.faults = ["concurrency"] * refused
        together = threading.Barrier(4)
        model.before = lambda _: together.wait(scaled(30)) if len(model.requests) <= 4 else None
        with Client.local(llm=model_of(model.url, concurrency=4)) as client:
            imported(client, records(*TEXTS))
            client.engine._extractor._pause = lambda _: None
            with pytest.warns(match="found nothing"):
                _, report, _ = export(client, CITY)

    assert model.most_at_once == 4
    assert len(model.requests) == len(TEXTS) + refused
    assert report.unread == 0


def test_a_chunk_that_fails_fails_alone():
    with scripted() as model:
        model.answer = lambda _: {"city": None}
        model.faults = ["ok", "refuse", "ok"]
        with Client.local(llm=model_of(model.url)) as client:
            imported(client, records(*TEXTS[:4]))
            with pytest.warns(match="found nothing"):
                _, report, texts = export(client, CITY)

    assert [texts[each] for each in report.unread_ids] == [TEXTS[1]]
    assert [(gap.path, gap.count) for gap in report.gaps if "not read" in gap.reason] == [("(texts)", 1)]


def test_a_chunk_that_is_too_long_is_split_and_a_memory_that_is_too_long_is_named():
    with scripted() as model:
        model.answer = lambda request: {"city": "Lisbon" if "Lisbon" in request["messages"][1]["content"] else None}
        model.faults = ["cut", "ok", "context"]
        with Client.local(llm=model_of(model.url)) as client:
            imported(client, records("Short.", "Alex lives in Lisbon.", "Other.", "x" * 100_000))
            value, report, texts = export(client, CITY)

    assert value == {"city": "Lisbon"}
    assert [request["messages"][1]["content"].count("\n") - 1 for request in model.requests] == [3, 1, 2, 1, 1]
    assert [texts[each] for each in report.unread_ids] == ["x" * 100_000]
    assert any("too long for a context" in gap.reason for gap in report.gaps)


def test_a_prompt_that_was_cut_silently_is_split():
    """Ollama answers with status 200 although it has read only the beginning. The tokens that it has counted tell."""
    with scripted() as model:
        model.answer = lambda _: {"city": None}
        model.faults = ["ollama_cut"]
        with Client.local(llm=model_of(model.url, context=8192)) as client:
            imported(client, records(*(f"Note {number}. {LONG}" for number in range(16))))
            with pytest.warns(match="found nothing"):
                _, report, _ = export(client, CITY)

    assert [request["messages"][1]["content"].count("\n") - 1 for request in model.requests] == [16, 8, 8]
    assert report.unread == 0


def test_any_number_of_memories_takes_flat_memory():
    """They are read chunk by chunk, and no more than a few chunks exist at any time."""
    peaks = []
    for count in (2_000, 20_000):
        with scripted() as model:
            model.answer = lambda _: {"city": None}
            model.before = lambda _: model.requests.clear()
            with Client.local(llm=model_of(model.url, context=30_000)) as client:
                lines = ({"memory": f"Note {number} {'y' * 80}", "user_id": "alex"} for number in range(count))
                imported(client, lines)
                job = client.exports.create(CITY, F.user_id == "alex")
                tracemalloc.start()
                with pytest.warns(match="found nothing"):
                    job.result(timeout=scaled(60))
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()

    assert peaks[1] < 1.5 * peaks[0] + 2_000_000
