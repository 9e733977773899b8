"""Threads, forks, event loops, pickles."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import subprocess
import sys
import textwrap
import threading

import pytest

from mem0_exports import AsyncClient, Client, ConfigurationError, F, Ledger, LedgerError, Retry, StatusError
from tests.end_to_end.faults import server as faults
from tests.end_to_end.faults.bulk_run import WEIGHTS, Found
from tests.end_to_end.faults.conftest import KEY, QUICK
from tests.end_to_end.faults.server import at_random, once, result_of
from tests.support.patience import patient


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")


def in_thirty_two_threads(work):
    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_one_client_in_thirty_two_threads(server):
    """Each thread gets the answers to its own questions, through a network that loses some."""
    reads = {fault: weight for fault, weight in WEIGHTS.items() if fault.then != "hang"}
    server.script = at_random(0.2, 5, reads, operations={"get", "ping", "list"})
    found = {}
    with Client(KEY, base_url=server.url, retry=Retry(attempts=8, initial_delay=0.01)) as client:

        def work(number):
            user = f"thread-{number}"
            results = [client.exports.run(Found, F.user_id == user, timeout=patient(60)) for _ in range(3)]
            client.with_options(timeout=patient(20)).ping()
            list(client.memories.list(F.user_id == user))
            found[number] = [result.model_dump() for result in results]

        in_thirty_two_threads(work)

    expected = {number: [result_of({"filters": {"user_id": f"thread-{number}"}})] * 3 for number in range(32)}
    assert found == expected
    assert len(server.created) == 96


@forks
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_the_child_of_a_fork_has_connections_of_its_own(server):
    with Client(KEY, base_url=server.url, retry=QUICK) as client:
        client.ping()
        assert server.connections == 1
        child = os.fork()
        if child == 0:
            try:
                for _ in range(3):
                    client.ping()
                os._exit(0)
            except BaseException:  # noqa: BLE001 -- the parent asserts
                os._exit(1)
        for _ in range(3):
            client.ping()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        client.ping()

    assert server.connections == 2
    assert server.requests["ping"] == 8


@forks
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_the_child_of_a_fork_cannot_use_the_parents_engine(tmp_path):
    with Client.local(tmp_path / "store.db") as client:
        client.memories.add("x", user_id="a")
        child = os.fork()
        if child == 0:
            try:
                client.memories.add("y", user_id="a")
            except ConfigurationError as error:
                os._exit(7 if "forked" in str(error) else 8)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert len(client.memories.add("z", user_id="a")) == 1


@forks
def test_a_child_that_ends_leaves_the_parents_ledger_alone(tmp_path):
    """A connection that is closed in the child, at its exit, would take the parent's write-ahead log away."""
    path = tmp_path / "ledger.db"
    code = f"""
        import os, sys, warnings
        from mem0_exports import Ledger
        warnings.simplefilter("ignore")
        ledger = Ledger({str(path)!r})
        entry = lambda name: ledger.entry(name, "origin", "account")
        entry("before").begin()
        if (child := os.fork()) == 0:
            with ledger:
                pass
            ledger.close()
            sys.exit(0)
        os.waitpid(child, 0)
        entry("after").begin()
        os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)

    with Ledger(path) as ledger:
        assert sorted(entry.fingerprint for entry in ledger.entries()) == ["after", "before"]


def test_a_second_ledger_in_a_process_does_not_open_the_file_for_others(tmp_path):
    path = tmp_path / "ledger.db"
    code = f"from mem0_exports import Ledger; Ledger({str(path)!r})"
    with Ledger(path):
        with pytest.raises(LedgerError, match="has it open"):
            Ledger(path)
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "another process" in other.stderr
    assert other.returncode == 1


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_async_client_outlives_an_event_loop(server):
    client = AsyncClient(KEY, base_url=server.url)

    for _ in range(2):
        assert asyncio.run(client.ping(retry=Retry(attempts=1))).status == "ok"
    asyncio.run(client.close())

    with pytest.raises(ConfigurationError, match="closed"):
        asyncio.run(client.ping())
    del client
    gc.collect()  # what asyncio says of the connections of a dead loop, it says here


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, pickle.dumps])
def test_clients_and_handles_are_not_copied_and_say_what_to_do(make, tmp_path):
    client = Client(KEY)
    with pytest.raises(TypeError, match="one in each process"):
        make(client)
    with pytest.raises(TypeError, match="one in each process"):
        make(AsyncClient(KEY))
    with pytest.raises(TypeError, match=r"client\.exports\.get\('id-1', Model\)"):
        make(client.exports.get("id-1", dict))
    with Ledger(tmp_path / "ledger.db") as ledger, pytest.raises(TypeError, match="path"):
        make(ledger)


def test_a_client_with_other_options_shares_the_connections_and_leaves_them_open(server):
    with Client(KEY, base_url=server.url) as client:
        client.ping()
        with client.with_options(timeout=patient(1), retry=Retry(attempts=1)) as impatient:
            impatient.ping()
        server.script = lambda _asked: faults.STALL
        with pytest.raises(TimeoutError):
            impatient.ping()
        server.script = faults.never
        assert server.requests["ping"] == 3
        client.ping()

    assert server.connections == 2, "one, and another after the one that stalled was given up"
    with pytest.raises(ConfigurationError, match="closed"):
        impatient.ping()


def test_no_cookie_of_the_service_is_kept(server):
    baked = faults.Fault(
        "baked", True, False, lambda _f, a: faults._message(200, faults._json(a.value), set_cookie="s=1")
    )
    server.script = once(baked, operation="ping")
    with Client(KEY, base_url=server.url) as client:
        client.ping()
        client.ping()

    assert "cookie" not in server.seen_headers


@pytest.mark.parametrize("location", ["mailto:x", "https:foo", "tel:1", "http://[::1", ""])
def test_a_redirect_to_nowhere_is_an_error_of_this_package(server, client, location):
    server.script = lambda _asked: faults.REDIRECT.but(location=location)

    with pytest.raises((StatusError, ConnectionError)) as failed:
        client.ping(retry=Retry(attempts=1))

    assert type(failed.value).__module__ == "mem0_exports.errors"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("value", ["http://[::1", "ftp://proxy", "http://proxy:port"])
def test_a_proxy_that_cannot_be_used_is_a_configuration_error(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)

    with (
        pytest.raises(ConfigurationError, match="cannot be set up"),
        Client(KEY, base_url="http://example.org") as client,
    ):
        client.ping()


def test_certificates_that_cannot_be_read_are_a_configuration_error(tmp_path):
    bad = tmp_path / "ca.pem"
    bad.write_text("no certificate")
    code = """
        from mem0_exports import Client, ConfigurationError
        try:
            Client("k", base_url="https://127.0.0.1:9").ping()
        except ConfigurationError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "SSL_CERT_FILE": str(bad)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "certificates" in done.stdout, done


def test_a_client_whose_constructor_failed_has_a_repr():
    client = Client.__new__(Client)

    assert repr(client) == "Client(not set up)"
