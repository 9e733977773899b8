"""Runs that end in the middle: cancelled, interrupted, closed. What the ledger says then is what really happened."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

from mem0_exports import (
    AsyncClient,
    Client,
    ConnectionFailed,
    ExportRequest,
    F,
    Ledger,
    LedgerError,
    OutcomeUnknown,
    RequestTimeout,
    Retry,
)
from tests.end_to_end.faults import server as faults
from tests.end_to_end.faults.bulk_run import Found, requests
from tests.end_to_end.faults.conftest import KEY
from tests.end_to_end.faults.server import once
from tests.support.patience import patient, until


ALEX = F.user_id == "alex"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


def states(path):
    with Ledger(path) as ledger:
        return [(entry.state, entry.asks, entry.lost_answers) for entry in ledger.entries()]


async def cancelled(client, ledger, moment, *, by):
    """Run, and cancel when `moment` says so."""
    if by == "anyio":
        import anyio

        async with anyio.create_task_group() as group:

            async def run():
                await client.exports.run(Found, ALEX, ledger=ledger)

            group.start_soon(run)
            while not moment():
                await anyio.sleep(0.005)
            group.cancel_scope.cancel()
        return
    task = asyncio.create_task(client.exports.run(Found, ALEX, ledger=ledger))
    while not moment():
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("by", ["asyncio", "anyio", "trio"])
@pytest.mark.parametrize(
    ("fault", "operation", "state"),
    [(faults.STALL, "create", "unknown"), (faults.STALL_AFTER, "create", "unknown"), (faults.STALL, "get", "pending")],
    ids=str,
)
def test_a_cancelled_run_is_written_down(server, path, by, fault, operation, state):
    server.script = once(fault, operation=operation)

    async def work():
        with Ledger(path) as ledger:
            async with AsyncClient(KEY, base_url=server.url) as client:
                await cancelled(client, ledger, lambda: server.faults, by="anyio" if by == "trio" else by)

    if by == "trio":
        import trio

        trio.run(work)
    else:
        asyncio.run(work())

    assert states(path) == [(state, 1, int(state == "unknown"))]


def full_backlog():
    """A listener that accepts nobody any more: connecting to it neither succeeds nor fails."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    held = []
    for _ in range(4):
        each = socket.socket()
        each.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            each.connect(listener.getsockname())
        held.append(each)
    return listener, held


def test_cancelled_while_it_connects_nothing_was_sent(path, caplog):
    caplog.set_level(logging.DEBUG, logger="httpcore")
    listener, held = full_backlog()

    def connecting():
        return "connect_tcp.started" in caplog.text

    async def work():
        with Ledger(path) as ledger:
            async with AsyncClient(KEY, base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
                await cancelled(client, ledger, connecting, by="asyncio")

    asyncio.run(work())
    for each in (listener, *held):
        each.close()

    assert states(path) == [("open", 1, 0)]


def test_a_client_that_is_closed_meanwhile_may_have_sent_it(server, path):
    server.script = once(faults.STALL_AFTER)
    client = Client(KEY, base_url=server.url, timeout=patient(2), retry=Retry(attempts=1))
    with Ledger(path) as ledger:
        closer = threading.Thread(target=lambda: (until(lambda: server.created, "the job is created"), client.close()))
        closer.start()
        with pytest.raises((ConnectionFailed, RequestTimeout)) as failed:
            client.exports.run(Found, ALEX, ledger=ledger)
        closer.join()

    assert failed.value.outcome_unknown
    assert states(path) == [("unknown", 1, 1)]


def test_leaving_the_loop_while_a_duplicate_waits_loses_nothing(server, path):
    """The second call for the same question only waits: it must not undo what the first has written."""
    server.polls_until_ready = 10**9
    server.script = lambda asked: faults.DRIP.but(interval=0.002) if asked.operation == "create" else None
    asked = [ExportRequest(Found, ALEX), ExportRequest(Found, ALEX), ExportRequest(Found, {"user_id": []})]
    with Ledger(path) as ledger, Client(KEY, base_url=server.url) as client:
        for outcome in client.exports.run_many(asked, ledger=ledger, concurrency=3):
            assert outcome.index == 2, "the one that cannot be sent"
            until(lambda: server.requests["create"], "a create is sent")
            break

    assert len(server.created) == 1
    assert states(path)[0][0] in {"pending", "unknown"}


def test_a_duplicate_that_asks_again_finds_what_the_other_got(server, path):
    server.script = once(faults.RESET_AFTER)
    asked = [ExportRequest(Found, ALEX) for _ in range(4)]
    with (
        Ledger(path, on_unknown="ask_again") as ledger,
        Client(KEY, base_url=server.url, retry=Retry(initial_delay=0.3)) as client,
    ):
        outcomes = list(client.exports.run_many(asked, ledger=ledger, concurrency=4))

    assert {outcome.status for outcome in outcomes} == {"ready"}
    assert len({outcome.export_id for outcome in outcomes}) == 1
    assert len(server.created) == 2, "the lost one, and one more"


def test_a_ledger_that_is_closed_meanwhile_does_not_swallow_a_cancellation(server, path):
    server.script = once(faults.STALL)

    async def work():
        ledger = Ledger(path)
        async with AsyncClient(KEY, base_url=server.url) as client:
            task = asyncio.create_task(client.exports.run(Found, ALEX, ledger=ledger))
            while not server.faults:
                await asyncio.sleep(0.005)
            ledger.close()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(work())
    assert states(path) == [("unknown", 1, 1)], "what was not written is taken for unknown"


def test_a_lost_answer_is_reported_also_where_the_ledger_fails(server, path):
    ledger = Ledger(path)

    def script(asked):
        ledger.close()
        return faults.RESET_AFTER

    server.script = script
    with Client(KEY, base_url=server.url) as client, pytest.raises(ConnectionFailed) as lost:
        client.exports.run(Found, ALEX, ledger=ledger)

    assert lost.value.outcome_unknown
    assert "closed" in "".join(lost.value.__notes__)


def test_an_entry_that_nobody_is_asking_for_any_more_is_of_unknown_outcome(server, path):
    """The answer came, and could not be written down: the disk was full."""
    with Ledger(path) as ledger, Client(KEY, base_url=server.url) as client:
        connection = ledger._connection
        connection.execute("CREATE TRIGGER full BEFORE UPDATE ON exports BEGIN SELECT RAISE(FAIL, 'full'); END")
        with pytest.raises(LedgerError, match="full") as full:
            client.exports.run(Found, ALEX, ledger=ledger)
        connection.execute("DROP TRIGGER full")
        assert full.value.export_id == server.created[0]
        with pytest.raises(OutcomeUnknown) as unknown:
            client.exports.run(Found, ALEX, ledger=ledger, timeout=5)
        assert unknown.value.lost_answers == 1

    assert len(server.created) == 1


def test_another_key_is_refused_unless_the_caller_says_that_it_is_the_same_account(server, path):
    with Ledger(path) as ledger, Client(KEY, base_url=server.url) as client:
        client.exports.run(Found, ALEX, ledger=ledger)
    server.key = "m0-another-key"
    with Client(server.key, base_url=server.url) as client:
        with Ledger(path) as ledger, pytest.raises(LedgerError, match="another API key"):
            client.exports.run(Found, ALEX, ledger=ledger)
        for _ in range(2):
            with Ledger(path, new_key=True) as ledger:
                assert client.exports.run(Found, ALEX, ledger=ledger).user == "alex"
    assert len(server.created) == 1
    assert KEY.encode() not in b"".join(each.read_bytes() for each in path.parent.iterdir())


def test_interrupted_with_the_keyboard_it_is_written_down(server, path):
    server.script = once(faults.STALL_AFTER)
    code = f"""
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests were started with
        from mem0_exports import Client, F, Ledger
        with Ledger({str(path)!r}) as ledger, Client({KEY!r}, base_url={server.url!r}) as client:
            client.exports.run({{"type": "object"}}, F.user_id == "alex", ledger=ledger)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.PIPE, text=True) as process:
        until(lambda: server.created, "the job is created")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=patient(20))

    assert said.strip().endswith("KeyboardInterrupt")
    assert "ignored" not in said
    with Ledger(path) as ledger:
        (entry,) = ledger.entries()
    assert (entry.state, entry.lost_answers) == ("unknown", 1)


def test_a_transport_that_raises_what_it_likes_stops_nobody_else(server, path):
    import httpx

    class Odd(httpx.HTTPTransport):
        def handle_request(self, request):
            if b"user-1" in request.read():
                raise ZeroDivisionError("a transport of the user's own")
            return super().handle_request(request)

    with Ledger(path) as ledger, Client(KEY, base_url=server.url, transport=Odd()) as client:
        outcomes = list(client.exports.run_many(requests(3), ledger=ledger, ordered=True))

    assert [outcome.status for outcome in outcomes] == ["ready", "unknown", "ready"], "nobody knows what it sent"
    assert isinstance(outcomes[1].error, ZeroDivisionError)
    assert [state for state, *_ in states(path)].count("unknown") == 1
