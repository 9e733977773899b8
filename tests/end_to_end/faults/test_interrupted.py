"""Test that after a cancelled, interrupted or closed run the ledger records what really happened."""

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
from tests.end_to_end.faults.bulk_run import Result, requests
from tests.end_to_end.faults.conftest import KEY
from tests.end_to_end.faults.server import once
from tests.support.timeouts import scaled, wait_until


ALEX = F.user_id == "alex"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


def states(path):
    with Ledger(path) as ledger:
        return [(entry.state, entry.asks, entry.lost_answers) for entry in ledger.entries()]


async def run_and_cancel(client, ledger, condition, *, by):
    """Start a run, and cancel it as soon as `condition()` is true."""
    if by == "anyio":
        import anyio

        async with anyio.create_task_group() as group:

            async def run():
                await client.exports.run(Result, ALEX, ledger=ledger)

            group.start_soon(run)
            while not condition():
                await anyio.sleep(0.005)
            group.cancel_scope.cancel()
        return
    task = asyncio.create_task(client.exports.run(Result, ALEX, ledger=ledger))
    while not condition():
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
def test_cancelled_run_is_recorded(server, path, by, fault, operation, state):
    server.script = once(fault, operation=operation)

    async def work():
        with Ledger(path) as ledger:
            async with AsyncClient(KEY, base_url=server.url) as client:
                await run_and_cancel(client, ledger, lambda: server.faults, by="anyio" if by == "trio" else by)

    if by == "trio":
        import trio

        trio.run(work)
    else:
        asyncio.run(work())

    assert states(path) == [(state, 1, int(state == "unknown"))]


def full_backlog():
    """Return a listener to which connects neither succeed nor fail, and the sockets that fill its backlog."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    pending = []
    for _ in range(4):
        each = socket.socket()
        each.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            each.connect(listener.getsockname())
        pending.append(each)
    return listener, pending


def test_run_cancelled_while_connecting_is_recorded_as_not_sent(path, caplog):
    caplog.set_level(logging.DEBUG, logger="httpcore")
    listener, pending = full_backlog()

    def is_connecting():
        return "connect_tcp.started" in caplog.text

    async def work():
        with Ledger(path) as ledger:
            async with AsyncClient(KEY, base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
                await run_and_cancel(client, ledger, is_connecting, by="asyncio")

    asyncio.run(work())
    for each in (listener, *pending):
        each.close()

    assert states(path) == [("open", 1, 0)]


def test_closing_the_client_during_a_create_leaves_it_unknown(server, path):
    server.script = once(faults.STALL_AFTER)
    client = Client(KEY, base_url=server.url, timeout=scaled(2), retry=Retry(attempts=1))
    with Ledger(path) as ledger:
        closer = threading.Thread(
            target=lambda: (wait_until(lambda: server.created, "the job is created"), client.close())
        )
        closer.start()
        with pytest.raises((ConnectionFailed, RequestTimeout)) as failed:
            client.exports.run(Result, ALEX, ledger=ledger)
        closer.join()

    assert failed.value.outcome_unknown
    assert states(path) == [("unknown", 1, 1)]


def test_leaving_the_loop_while_a_duplicate_waits_keeps_the_record(server, path):
    """The duplicate only waits for the first call, and must not overwrite what that one recorded."""
    server.polls_until_ready = 10**9
    server.script = lambda request: faults.DRIP.replace(interval=0.002) if request.operation == "create" else None
    export_requests = [ExportRequest(Result, ALEX), ExportRequest(Result, ALEX), ExportRequest(Result, {"user_id": []})]
    with Ledger(path) as ledger, Client(KEY, base_url=server.url) as client:
        for outcome in client.exports.run_many(export_requests, ledger=ledger, concurrency=3):
            assert outcome.index == 2, "expected the outcome of the invalid request"
            wait_until(lambda: server.requests["create"], "a create is sent")
            break

    assert len(server.created) == 1
    assert states(path)[0][0] in {"pending", "unknown"}


def test_duplicates_with_ask_again_share_one_new_job(server, path):
    server.script = once(faults.RESET_AFTER)
    export_requests = [ExportRequest(Result, ALEX) for _ in range(4)]
    with (
        Ledger(path, on_unknown="ask_again") as ledger,
        Client(KEY, base_url=server.url, retry=Retry(initial_delay=0.3)) as client,
    ):
        outcomes = list(client.exports.run_many(export_requests, ledger=ledger, concurrency=4))

    assert {outcome.status for outcome in outcomes} == {"ready"}
    assert len({outcome.export_id for outcome in outcomes}) == 1
    assert len(server.created) == 2, "expected the lost create and one more"


def test_closing_the_ledger_does_not_hide_a_cancellation(server, path):
    server.script = once(faults.STALL)

    async def work():
        ledger = Ledger(path)
        async with AsyncClient(KEY, base_url=server.url) as client:
            task = asyncio.create_task(client.exports.run(Result, ALEX, ledger=ledger))
            while not server.faults:
                await asyncio.sleep(0.005)
            ledger.close()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(work())
    assert states(path) == [("unknown", 1, 1)], "a create that could not be recorded must count as unknown"


def test_lost_answer_is_reported_although_the_ledger_fails(server, path):
    ledger = Ledger(path)

    def script(_request):
        ledger.close()
        return faults.RESET_AFTER

    server.script = script
    with Client(KEY, base_url=server.url) as client, pytest.raises(ConnectionFailed) as lost:
        client.exports.run(Result, ALEX, ledger=ledger)

    assert lost.value.outcome_unknown
    assert "closed" in "".join(lost.value.__notes__)


def test_create_that_could_not_be_recorded_has_an_unknown_outcome(server, path):
    """The answer arrived but could not be recorded, because the disk was full."""
    with Ledger(path) as ledger, Client(KEY, base_url=server.url) as client:
        connection = ledger._connection
        connection.execute("CREATE TRIGGER full BEFORE UPDATE ON exports BEGIN SELECT RAISE(FAIL, 'full'); END")
        with pytest.raises(LedgerError, match="full") as full:
            client.exports.run(Result, ALEX, ledger=ledger)
        connection.execute("DROP TRIGGER full")
        assert full.value.export_id == server.created[0]
        with pytest.raises(OutcomeUnknown) as unknown:
            client.exports.run(Result, ALEX, ledger=ledger, timeout=5)
        assert unknown.value.lost_answers == 1

    assert len(server.created) == 1


def test_refuses_another_key_without_new_key(server, path):
    with Ledger(path) as ledger, Client(KEY, base_url=server.url) as client:
        client.exports.run(Result, ALEX, ledger=ledger)
    server.key = "m0-another-key"
    with Client(server.key, base_url=server.url) as client:
        with Ledger(path) as ledger, pytest.raises(LedgerError, match="another API key"):
            client.exports.run(Result, ALEX, ledger=ledger)
        for _ in range(2):
            with Ledger(path, new_key=True) as ledger:
                assert client.exports.run(Result, ALEX, ledger=ledger).user == "alex"
    assert len(server.created) == 1
    assert KEY.encode() not in b"".join(each.read_bytes() for each in path.parent.iterdir())


def test_run_interrupted_by_ctrl_c_is_recorded(server, path):
    server.script = once(faults.STALL_AFTER)
    code = f"""
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run with SIGINT ignored
        from mem0_exports import Client, F, Ledger
        with Ledger({str(path)!r}) as ledger, Client({KEY!r}, base_url={server.url!r}) as client:
            client.exports.run({{"type": "object"}}, F.user_id == "alex", ledger=ledger)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: server.created, "the job is created")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=scaled(20))

    assert stderr.strip().endswith("KeyboardInterrupt")
    assert "ignored" not in stderr
    with Ledger(path) as ledger:
        (entry,) = ledger.entries()
    assert (entry.state, entry.lost_answers) == ("unknown", 1)


def test_unexpected_error_of_a_transport_does_not_stop_the_other_exports(server, path):
    import httpx

    class FailingTransport(httpx.HTTPTransport):
        def handle_request(self, request):
            if b"user-1" in request.read():
                raise ZeroDivisionError("a transport of the user's own")
            return super().handle_request(request)

    with Ledger(path) as ledger, Client(KEY, base_url=server.url, transport=FailingTransport()) as client:
        outcomes = list(client.exports.run_many(requests(3), ledger=ledger, ordered=True))

    assert [outcome.status for outcome in outcomes] == ["ready", "unknown", "ready"], (
        "after an error of the transport, the outcome must be unknown"
    )
    assert isinstance(outcomes[1].error, ZeroDivisionError)
    assert [state for state, *_ in states(path)].count("unknown") == 1
