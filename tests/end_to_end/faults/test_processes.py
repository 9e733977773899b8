"""Test clients and ledgers with threads, forks, event loops and pickle, and a few odd environments."""

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
from tests.end_to_end.faults.bulk_run import WEIGHTS, Result
from tests.end_to_end.faults.conftest import KEY, QUICK
from tests.end_to_end.faults.server import at_random, once, result_of
from tests.support.timeouts import scaled


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no os.fork on this system")


def run_in_32_threads(work):
    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_32_threads_can_share_a_client(server):
    """Each thread gets the answers to its own requests, although some are lost on the network."""
    reads = {fault: weight for fault, weight in WEIGHTS.items() if fault.then != "hang"}
    server.script = at_random(0.2, 5, reads, operations={"get", "ping", "list"})
    found = {}
    with Client(KEY, base_url=server.url, retry=Retry(attempts=8, initial_delay=0.01)) as client:

        def work(number):
            user = f"thread-{number}"
            results = [client.exports.run(Result, F.user_id == user, timeout=scaled(60)) for _ in range(3)]
            client.with_options(timeout=scaled(20)).ping()
            list(client.memories.list(F.user_id == user))
            found[number] = [result.model_dump() for result in results]

        run_in_32_threads(work)

    expected = {number: [result_of({"filters": {"user_id": f"thread-{number}"}})] * 3 for number in range(32)}
    assert found == expected
    assert len(server.created) == 96


@needs_fork
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_child_of_a_fork_opens_its_own_connections(server):
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


@needs_fork
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_child_of_a_fork_cannot_use_the_engine_of_the_parent(tmp_path):
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


@needs_fork
def test_exit_of_a_forked_child_does_not_damage_the_ledger_of_the_parent(tmp_path):
    """If the child closed its copy of the connection, SQLite would delete the parent's write-ahead log."""
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


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "closed before"])
def test_ledger_stays_locked_after_a_second_open_in_the_same_process(tmp_path, is_new):
    """The tables of a new ledger are only in its -wal file. A ledger that was closed has them in the file itself."""
    path = tmp_path / "ledger.db"
    if not is_new:
        Ledger(path).close()
    code = f"from mem0_exports import Ledger; Ledger({str(path)!r})"
    with Ledger(path):
        with pytest.raises(LedgerError, match="has it open"):
            Ledger(path)
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "another process" in other.stderr
    assert other.returncode == 1


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_async_client_can_be_used_in_several_event_loops(server):
    client = AsyncClient(KEY, base_url=server.url)

    for _ in range(2):
        assert asyncio.run(client.ping(retry=Retry(attempts=1))).status == "ok"
    asyncio.run(client.close())

    with pytest.raises(ConfigurationError, match="closed"):
        asyncio.run(client.ping())
    del client
    gc.collect()  # asyncio warns about connections of the closed loop here, and not in a later test


@pytest.mark.parametrize("copy_or_pickle", [copy.copy, copy.deepcopy, pickle.dumps])
def test_copying_clients_handles_and_ledgers_raises_an_error_with_advice(copy_or_pickle, tmp_path):
    client = Client(KEY)
    with pytest.raises(TypeError, match="one in each process"):
        copy_or_pickle(client)
    with pytest.raises(TypeError, match="one in each process"):
        copy_or_pickle(AsyncClient(KEY))
    with pytest.raises(TypeError, match=r"client\.exports\.get\('id-1', Model\)"):
        copy_or_pickle(client.exports.get("id-1", dict))
    with Ledger(tmp_path / "ledger.db") as ledger, pytest.raises(TypeError, match="path"):
        copy_or_pickle(ledger)


def test_with_options_shares_the_connections_and_does_not_close_them(server):
    with Client(KEY, base_url=server.url) as client:
        client.ping()
        with client.with_options(timeout=scaled(1), retry=Retry(attempts=1)) as shorter:
            shorter.ping()
        server.script = lambda _request: faults.STALL
        with pytest.raises(TimeoutError):
            shorter.ping()
        server.script = faults.no_faults
        assert server.requests["ping"] == 3
        client.ping()

    assert server.connections == 2, "expected one connection, and a new one after the stalled request was given up"
    with pytest.raises(ConfigurationError, match="closed"):
        shorter.ping()


def test_client_does_not_send_cookies_back(server):
    sets_cookie = faults.Fault(
        "sets_cookie", True, False, lambda _f, a: faults._message(200, faults._json(a.value), set_cookie="s=1")
    )
    server.script = once(sets_cookie, operation="ping")
    with Client(KEY, base_url=server.url) as client:
        client.ping()
        client.ping()

    assert "cookie" not in server.seen_headers


@pytest.mark.parametrize("location", ["mailto:x", "https:foo", "tel:1", "http://[::1", ""])
def test_redirect_to_an_invalid_location_raises_an_error_of_this_package(server, client, location):
    server.script = lambda _request: faults.REDIRECT.replace(location=location)

    with pytest.raises((StatusError, ConnectionError)) as failed:
        client.ping(retry=Retry(attempts=1))

    assert type(failed.value).__module__ == "mem0_exports.errors"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("value", ["http://[::1", "ftp://proxy", "http://proxy:port"])
def test_invalid_proxy_raises_a_configuration_error(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=f"{variable}=.* is not a proxy"):
        Client(KEY, base_url="http://example.org")


def test_unreadable_certificates_raise_a_configuration_error(tmp_path):
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


def test_repr_works_after_a_failed_constructor():
    client = Client.__new__(Client)

    assert repr(client) == "Client(not set up)"
