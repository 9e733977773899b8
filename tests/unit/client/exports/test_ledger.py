"""Test what the ledger has on disk at each step of a run, and how a later run resumes. No network, no sleeping."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
import sqlite3
import stat
import threading

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mem0_exports import (
    ConnectionFailed,
    ExportFailed,
    ExportInvalid,
    ExportTimeout,
    F,
    InputError,
    Ledger,
    LedgerError,
    OutcomeUnknown,
    Retry,
    Unauthorized,
)
from mem0_exports.exports import resume
from mem0_exports.exports.ledger import KnownExport
from mem0_exports.exports.spec import ExportSpec, Origin
from mem0_exports.http.flow import Response, RunBlocking, Send
from mem0_exports.http.network_driver import NetworkDriver
from tests.support.flows import NO_WARNINGS, FlowRunner, named, status


ID = "550e8400-e29b-41d4-a716-446655440000"
ACCEPTED = Response(201, {}, json.dumps({"message": "ok", "id": ID}).encode())
PENDING = Response(404, {}, b'{"error": "No memory export request found"}')
FAILED = Response(404, {}, b'{"error": "No memory export request found", "reason": "too large"}')
RESULT = Response(200, {}, b'{"city": "Lisbon"}')
INVALID_RESULT = Response(200, {}, b'{"city": 5}')
RESET = ConnectionFailed("reset")
ORIGIN = Origin("https://api.example", "account")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


def run(runner, ledger, where=F.user_id == "alex", timeout=60, schema=SCHEMA, origin=ORIGIN, **settings):
    return runner.run(ledger_flow(runner.settings(**settings), ledger, where, timeout, schema, origin))


def ledger_flow(settings, ledger, where=F.user_id == "alex", timeout=60, schema=SCHEMA, origin=ORIGIN):
    """Return the flow of a run with a ledger."""
    spec = ExportSpec.of(schema, where, None)
    return resume.run(spec, settings, timeout, NO_WARNINGS, ledger=ledger, origin=origin)


def operations(runner):
    return [command.request.operation for command in runner.sends()]


def entry(ledger):
    (only,) = ledger.entries()
    return only


def test_reuses_the_recorded_result_on_the_next_run(path):
    with Ledger(path) as ledger:
        first = FlowRunner([ACCEPTED, PENDING, RESULT])
        assert run(first, ledger) == {"city": "Lisbon"}
        recorded = entry(ledger)
    with Ledger(path) as ledger:
        again = FlowRunner([])
        assert run(again, ledger) == {"city": "Lisbon"}
        assert ledger.result(recorded.fingerprint) == RESULT.body

    assert (recorded.state, recorded.export_id, recorded.asks, recorded.lost_answers) == ("ready", ID, 1, 0)
    assert timedelta(days=7) <= recorded.expires_at - recorded.asked_at < timedelta(days=7, minutes=1)
    assert abs(datetime.now(UTC) - recorded.asked_at) < timedelta(minutes=1)
    assert again.sends() == []


@pytest.mark.parametrize(
    "other",
    [
        {"where": F.user_id == "ana"},
        {"schema": {**SCHEMA, "title": "City"}},
        {"origin": Origin("https://elsewhere", "account")},
    ],
    ids=lambda other: next(iter(other)),
)
def test_different_filters_schema_or_service_make_a_new_export(path, other):
    with Ledger(path) as ledger:
        run(FlowRunner([ACCEPTED, RESULT]), ledger)
        runner = FlowRunner([ACCEPTED, RESULT])
        run(runner, ledger, **other)
        assert len(list(ledger.entries())) == 2
    assert operations(runner) == ["exports_create", "exports_get"]


def test_fingerprint_covers_every_argument_and_ignores_key_order():
    where = F.user_id == "alex"
    base = ExportSpec.of(SCHEMA, where, None)
    reordered = ExportSpec.of(dict(reversed(SCHEMA.items())), where, None)
    others = [ExportSpec.of(SCHEMA, where, None, **{name: "x"}) for name in ("instructions", "org_id", "project_id")]

    assert base.fingerprint("o") == reordered.fingerprint("o") == ExportSpec.of(SCHEMA, where, None).fingerprint("o")
    assert len({each.fingerprint("o") for each in (base, *others)}) == 4
    assert len(base.fingerprint("o")) == 64


GOLDEN_PLAIN = "9ad0e44305076eeec2a057c1b32536bd15501a3627a1215a63b907685f102e37"
GOLDEN_EVERY = "a4d852fa4d20acc0f08e60f7f8f346547ba6122f6f8c2669231b14bf5cc66893"


def test_fingerprints_never_change():
    """A release with other fingerprints would create, and bill, every export of an existing ledger a second time."""
    where = F.user_id == "alex"
    every = ExportSpec.of({**SCHEMA, "title": "é"}, where, None, instructions="newest", org_id="o", project_id="p")

    assert ExportSpec.of(SCHEMA, where, None).fingerprint("https://api.mem0.ai") == GOLDEN_PLAIN
    assert every.fingerprint("https://api.mem0.ai") == GOLDEN_EVERY


def test_fingerprint_does_not_cover_arguments_that_are_left_at_none():
    class Later(ExportSpec):
        """An ExportSpec as a later release may have it, with one optional argument more."""

        def _asdict(self):
            return {**super()._asdict(), "added_later": None}

    spec = ExportSpec.of(SCHEMA, F.user_id == "alex", None)

    assert Later(*spec).fingerprint("o") == spec.fingerprint("o")


@pytest.mark.parametrize("name", [":memory:", "", Path()])
def test_rejects_a_path_that_is_not_a_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InputError, match="path must name a file that survives a crash"):
        Ledger(name)

    assert list(tmp_path.iterdir()) == []


def stepwise(flow, answers):
    """Carry out a flow one command at a time; before each command, yield it and the operations sent so far."""
    answers = iter(answers)
    sent = []
    command = next(flow)
    while True:
        yield command, sent
        try:
            if isinstance(command, Send):
                sent.append(command.request.operation)
                answer = next(answers)
                command = flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer)
            else:
                command = flow.send(command.call() if hasattr(command, "call") else None)
        except StopIteration:
            return


SCRIPTS = {
    "straight": [ACCEPTED, PENDING, RESULT],
    "rate limited before the create": [status(429), status(429), ACCEPTED, RESULT],
    "errors while polling": [ACCEPTED, RESET, status(502), PENDING, RESULT],
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_never_repeats_a_create_silently_after_a_kill_at_any_step(tmp_path, script):
    """A copy of the file at each step is what a new process finds after a kill at that step."""
    kills = 0
    with Ledger(tmp_path / "alive.db") as ledger:
        runner = FlowRunner([])
        for number, (command, sent) in enumerate(stepwise(ledger_flow(runner.settings(), ledger), SCRIPTS[script])):
            for during in {False, isinstance(command, Send)}:
                copy = tmp_path / f"killed-{number}-{during}.db"
                for suffix in ("", "-wal"):
                    shutil.copy(f"{ledger.path}{suffix}", f"{copy}{suffix}")
                creates_sent = [*sent, *([command.request.operation] if during else [])].count("exports_create")
                accepted = "exports_get" in sent or (sent and not is_create(command))
                check_after_kill(copy, creates_sent, answered=bool(accepted))
                kills += 1
    assert kills > 6


def is_create(command):
    return isinstance(command, Send) and command.request.operation == "exports_create"


def check_after_kill(copy, creates_sent, *, answered):
    """Run the same export with this copy of the ledger, and check that no create is repeated silently."""
    runner = FlowRunner(lambda send: ACCEPTED if send.request.operation == "exports_create" else RESULT)
    with Ledger(copy) as ledger:
        states = [each.state for each in ledger.entries()]
        try:
            assert run(runner, ledger) == {"city": "Lisbon"}
        except OutcomeUnknown:
            assert states == ["unknown"]
            assert runner.sends() == [], "must send nothing unless on_unknown is 'ask_again'"
            return
    if creates_sent and states != ["ready"] and not answered:
        raise AssertionError(f"a create may have been carried out, but the ledger has {states}")
    if operations(runner)[:1] == ["exports_create"]:
        assert creates_sent == 0, "the create was repeated although it had been sent"


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("how", ["stopped", "cancelled"])
def test_records_whether_the_create_was_sent_when_interrupted_at_any_step(tmp_path, script, how):
    """When stopped, the last command was not carried out; when cancelled, a request may have been sent."""
    for step in range(30):
        with Ledger(tmp_path / f"{how}-{step}.db") as ledger:
            runner = FlowRunner([])
            flow = ledger_flow(runner.settings(), ledger)
            commands = stepwise(flow, SCRIPTS[script])
            found = next((each for number, each in enumerate(commands) if number == step), None)
            if found is None:
                assert step > 5
                return
            command, sent = found
            if how == "cancelled" and isinstance(command, RunBlocking):
                command.call()
            NetworkDriver("http://127.0.0.1", {}, None)._interrupt(flow, carried_out=how == "cancelled")
            states = [each.state for each in ledger.entries()]
            if is_create(command):
                assert states == ["open" if how == "stopped" else "unknown"]
            elif sent.count("exports_create") < SCRIPTS[script].index(ACCEPTED) + 1:  # no create was accepted yet
                assert states in ([], ["open"])
            else:
                assert states in (["pending"], ["ready"])
                assert entry(ledger).export_id == ID


@pytest.mark.parametrize(
    ("answer", "state", "kind"),
    [
        (RESET, "unknown", ConnectionFailed),
        (status(401), "open", Unauthorized),
        (ConnectionFailed("refused", sent=False), "open", ConnectionFailed),
    ],
    ids=lambda value: named(value) if not isinstance(value, str | type) else None,
)
def test_records_a_failed_create_as_unknown_or_open(path, answer, state, kind):
    with Ledger(path) as ledger:
        with pytest.raises(kind) as failed:
            run(FlowRunner([answer] * 3), ledger)
        assert entry(ledger).state == state
        assert failed.value.outcome_unknown is (state == "unknown")
        if state == "open":
            assert run(FlowRunner([ACCEPTED, RESULT]), ledger) == {"city": "Lisbon"}


def test_raises_outcome_unknown_after_a_lost_answer_by_default(path):
    with Ledger(path) as ledger:
        with pytest.raises(ConnectionFailed):
            run(FlowRunner([RESET]), ledger)
        for policy in ("raise", "skip"):
            ledger.on_unknown = policy
            with pytest.raises(OutcomeUnknown, match=r"requested at \d{4}-.*UTC.*ask_again") as unknown:
                run(FlowRunner([]), ledger)
            assert unknown.value.fingerprint == entry(ledger).fingerprint
            assert (unknown.value.outcome_unknown, unknown.value.lost_answers) == (True, 1)


def test_ask_again_makes_at_most_the_attempts_of_the_retry_policy(path):
    with Ledger(path, on_unknown="ask_again") as ledger:
        runner = FlowRunner([RESET] * 9)
        with pytest.raises(ConnectionFailed):
            run(runner, ledger, retry=Retry(attempts=4))
        assert operations(runner) == ["exports_create"] * 4
        assert (entry(ledger).state, entry(ledger).asks, entry(ledger).lost_answers) == ("unknown", 4, 4)


def test_outcome_stays_unknown_if_a_later_create_is_refused(path):
    """The refusal of the second create does not tell whether the first one made a job."""
    with Ledger(path, on_unknown="ask_again") as ledger:
        with pytest.raises(Unauthorized):
            run(FlowRunner([RESET, status(401)]), ledger)
        assert (entry(ledger).state, entry(ledger).lost_answers) == ("unknown", 1)


def test_creates_a_new_job_after_the_old_one_failed_or_expired(path):
    with Ledger(path) as ledger:
        with pytest.raises(ExportFailed, match="too large"):
            run(FlowRunner([ACCEPTED, FAILED]), ledger)
        assert entry(ledger).state == "open"
        with pytest.raises(ExportTimeout):
            run(FlowRunner([ACCEPTED, *[PENDING] * 99]), ledger, timeout=5)
        assert entry(ledger).state == "pending"

        eight_days = ledger._now() + 8 * 86400
        ledger._now = lambda: eight_days
        assert run(FlowRunner([ACCEPTED, RESULT]), ledger) == {"city": "Lisbon"}
        assert entry(ledger).asks == 3


def test_only_polls_a_job_that_is_pending_in_the_ledger(path):
    with Ledger(path) as ledger, pytest.raises(ExportTimeout):
        run(FlowRunner([ACCEPTED, *[PENDING] * 99]), ledger, timeout=5)
    with Ledger(path) as ledger:
        runner = FlowRunner([PENDING, RESULT])
        assert run(runner, ledger) == {"city": "Lisbon"}
    assert operations(runner) == ["exports_get", "exports_get"]


def test_keeps_a_result_that_does_not_match_the_schema(path):
    with Ledger(path) as ledger:
        for answers in ([ACCEPTED, INVALID_RESULT], []):
            runner = FlowRunner(answers)
            with pytest.raises(ExportInvalid) as invalid:
                run(runner, ledger)
            assert invalid.value.data == {"city": 5}
        assert ledger.result(entry(ledger).fingerprint) == INVALID_RESULT.body


def test_forget_makes_the_next_run_create_a_new_job(path):
    with Ledger(path) as ledger:
        run(FlowRunner([ACCEPTED, RESULT]), ledger)
        fingerprint = entry(ledger).fingerprint
        assert ledger.forget(fingerprint)
        assert not ledger.forget(fingerprint)
        assert ledger.result(fingerprint) is None
        runner = FlowRunner([ACCEPTED, RESULT])
        run(runner, ledger)
        assert len(runner.sends()) == 2


def test_entries_lists_all_entries_by_creation_time(path):
    with Ledger(path) as ledger:
        now = 0.0
        ledger._now = lambda: now
        for number in range(2500):
            now = float(number // 3)
            entry_writer(ledger, f"f{number:04}").begin()
        assert [each.fingerprint for each in ledger.entries()] == [f"f{number:04}" for number in range(2500)]


# ---- the file --------------------------------------------------------------------------------------------------------


def test_file_is_readable_only_for_its_owner(path):
    with Ledger(path) as ledger:
        entry_writer(ledger, "f").begin()
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {0o600}


def test_rejects_a_second_open_of_the_same_file(path):
    with Ledger(path), pytest.raises(LedgerError, match="has it open"):
        Ledger(path)
    Ledger(path).close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a database, and longer than the header of one" * 40, "not a database"),
        ("CREATE TABLE memories (id)", "not a ledger"),
        ("PRAGMA user_version = 7", "version 7"),
    ],
    ids=["text", "another database", "a later version"],
)
def test_rejects_a_file_that_is_not_a_ledger_and_leaves_it_unchanged(path, content, message):
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        if "user_version" in content:
            Ledger(path).close()
        with sqlite3.connect(path) as connection:
            connection.execute(content)
        connection.close()
    before = path.read_bytes()

    with pytest.raises(LedgerError, match=message):
        Ledger(path)

    assert path.read_bytes() == before or not isinstance(content, bytes)


@pytest.mark.parametrize("where", ["missing/ledger.db", "."])
def test_raises_ledger_error_if_the_path_cannot_be_opened(tmp_path, where):
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger(tmp_path / where)


def test_sends_nothing_if_the_ledger_is_closed(path):
    ledger = Ledger(path)
    ledger.close()
    ledger.close()
    runner = FlowRunner([ACCEPTED])

    with pytest.raises(LedgerError, match="closed"):
        run(runner, ledger)
    assert runner.sends() == []


def test_full_disk_prevents_the_create_or_raises_an_error_with_the_export_id(path):
    with Ledger(path) as ledger:
        (size,) = ledger._connection.execute("PRAGMA page_count").fetchone()
        ledger._connection.execute(f"PRAGMA max_page_count = {size}")
        fill(ledger)
        runner = FlowRunner([ACCEPTED])
        with pytest.raises(LedgerError, match="full"):
            run(runner, ledger)
        assert runner.sends() == []

    other = path.with_name("other.db")
    with Ledger(other) as ledger:
        large = Response(200, {}, json.dumps({"city": "x" * 100_000}).encode())
        (size,) = ledger._connection.execute("PRAGMA page_count").fetchone()
        ledger._connection.execute(f"PRAGMA max_page_count = {size + 5}")
        with pytest.raises(LedgerError, match="full") as full:
            run(FlowRunner([ACCEPTED, large]), ledger)
        assert full.value.export_id == ID
        assert entry(ledger).state == "pending", "the result must stay fetchable for when there is room again"


def fill(ledger):
    """Add entries until the file is full."""
    with contextlib.suppress(LedgerError):
        for number in range(10_000):
            entry_writer(ledger, f"{number:064}").begin()


def entry_writer(ledger, fingerprint):
    return ledger.entry(fingerprint, "https://api.example", "account")


@pytest.mark.parametrize("policy", ["sometimes", None, True])
def test_rejects_an_invalid_on_unknown(path, policy):
    with pytest.raises(InputError, match="on_unknown"):
        Ledger(path, on_unknown=policy)
    assert not path.exists()


def test_cannot_be_pickled(path):
    with Ledger(path) as ledger, pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(ledger)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_child_cannot_use_the_ledger_of_its_parent(path):
    with Ledger(path) as ledger:
        child = os.fork()
        if child == 0:
            try:
                entry_writer(ledger, "f").begin()
            except LedgerError:
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        entry_writer(ledger, "g").begin()
        assert [each.fingerprint for each in ledger.entries()] == ["g"]


def test_only_one_of_many_threads_begins_a_create(path):
    with Ledger(path) as ledger:
        known: list[object] = []

        def work():
            known.append(entry_writer(ledger, "f").begin())

        threads = [threading.Thread(target=work) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(each is not None for each in known) == 1, "exactly one thread must begin the create"


# ---- concurrent calls for the same entry -----------------------------------------------------------------------------


def begun_create(ledger):
    writer = entry_writer(ledger, "f")
    assert writer.begin() is not None
    return writer


def test_ignores_writes_of_a_call_that_no_longer_owns_the_entry(path):
    with Ledger(path, on_unknown="ask_again") as ledger:
        old = begun_create(ledger)
        old.leave()
        new = begun_create(ledger)
        for step in (old.lost, old.refused):
            step()
        assert entry(ledger).state == "asking"
        new.created("id-2")
        old.failed()
        new.ready(b"{}")
        old.failed()
        new.failed()
        assert (entry(ledger).state, entry(ledger).export_id) == ("ready", "id-2")


def test_reports_the_export_id_if_the_entry_was_forgotten_meanwhile(path):
    with Ledger(path) as ledger:
        first = begun_create(ledger)
        ledger.forget("f")
        assert entry_writer(ledger, "f").begin() is None, "the first create is still in progress"
        with pytest.raises(LedgerError, match="id-1"):
            first.created("id-1")
        first.leave()
        second = begun_create(ledger)
        second.created("id-2")
        ledger.forget("f")
        with pytest.raises(LedgerError, match="id-2"):
            second.ready(b"{}")


def test_a_call_that_waits_for_the_lock_while_another_writes_its_id_resumes_that_job(path):
    class Lock:
        """The ledger's lock, taken by the next call only after `others` have had it."""

        def __init__(self, inner):
            self.inner = inner
            self.others = []

        def __enter__(self):
            while self.others:
                self.others.pop()()
            self.inner.acquire()

        def __exit__(self, *_):
            self.inner.release()

    def write_the_id():
        nonlocal now
        now += 2 * 3600
        first.created("id-1")

    with Ledger(path) as ledger:
        now = ledger._now()
        ledger._now = lambda: now
        first = begun_create(ledger)
        ledger._lock = Lock(ledger._lock)
        ledger._lock.others.append(write_the_id)

        assert entry_writer(ledger, "f").begin() == KnownExport("id-1", None, 0)

        assert (entry(ledger).state, entry(ledger).asks) == ("pending", 1)
        first.ready(b"{}")
        assert entry(ledger).state == "ready"


@pytest.mark.parametrize("back", [0.01, 60, 30 * 86400])
def test_a_clock_that_is_set_back_does_not_create_a_job_again(path, back):
    with Ledger(path) as ledger:
        now = ledger._now()
        ledger._now = lambda: now
        with pytest.raises(ExportTimeout):
            run(FlowRunner([ACCEPTED, *[PENDING] * 99]), ledger, timeout=5)
        ledger._now = lambda: now - back
        again = FlowRunner([RESULT])
        assert run(again, ledger) == {"city": "Lisbon"}
    assert operations(again) == ["exports_get"]


def test_a_new_create_clears_the_id_and_expiry_of_the_old_job(path):
    with Ledger(path) as ledger:
        with pytest.raises(ExportFailed):
            run(FlowRunner([ACCEPTED, FAILED]), ledger)
        with pytest.raises(ConnectionFailed):
            run(FlowRunner([RESET]), ledger)
        assert (entry(ledger).export_id, entry(ledger).expires_at) == (None, None)


def test_ask_again_stops_at_the_deadline(path):
    with Ledger(path, on_unknown="ask_again") as ledger:
        runner = FlowRunner([RESET] * 9, latency=1.0)
        with pytest.raises(ConnectionFailed):
            run(runner, ledger, timeout=1.2)
        assert entry(ledger).asks == 1


def test_does_not_record_an_answer_that_is_not_json(path):
    with Ledger(path) as ledger:
        with pytest.raises(ExportTimeout):
            run(FlowRunner([ACCEPTED, *[Response(200, {}, b'{"city": "Li')] * 99]), ledger, timeout=5)
        assert entry(ledger).state == "pending"
        assert ledger.result(entry(ledger).fingerprint) is None


def test_validation_error_names_the_export_also_for_a_recorded_result(path):
    with Ledger(path) as ledger:
        for answers in ([ACCEPTED, INVALID_RESULT], []):
            with pytest.raises(ExportInvalid, match=ID):
                run(FlowRunner(answers), ledger)


def test_rejects_a_ledger_argument_of_another_type(path):
    runner = FlowRunner([])
    with pytest.raises(InputError, match="Ledger"):
        run(runner, str(path))


@pytest.mark.parametrize("step", ["begin", "refused"])
def test_concurrent_call_does_not_take_a_running_create_for_a_lost_answer(path, step):
    """A second call that starts between the transaction and the update of `_asking` must wait for both."""
    known, threads = [], []

    class InterruptedSet(set):
        def add(self, fingerprint):
            if step == "begin":
                start_second_call()
            super().add(fingerprint)

        def discard(self, fingerprint):
            if step == "refused":
                start_second_call()
            super().discard(fingerprint)

    def start_second_call():
        if not threads:
            threads.append(threading.Thread(target=lambda: known.append(entry_writer(ledger, "f").begin())))
            threads[0].start()
            threads[0].join(0.2)

    with Ledger(path) as ledger:
        ledger._asking = InterruptedSet()
        first = entry_writer(ledger, "f")
        assert first.begin().export_id is None
        if step == "refused":
            first.refused()
        threads[0].join()
        (state,) = [each.state for each in ledger.entries()]

        assert state == "asking"
        assert ledger._asking == {"f"}, "a create in progress must be in _asking"
    assert known == ([None] if step == "begin" else [KnownExport(None, None, 0)])
