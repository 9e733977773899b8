"""Test that every read, write and handshake of a connection is limited to the time left for the request."""

from __future__ import annotations

import contextlib
import socket

import anyio
import httpcore
import httpx
import pytest

from mem0_exports import Client, ConnectionFailed, deadlines
from mem0_exports.deadlines import Backend, Deadline, _Stream
from mem0_exports.http import connection as _connection
from mem0_exports.http import network as _network
from mem0_exports.http.driver import AtomicCall
from mem0_exports.http.flow import Request, send
from mem0_exports.http.network import MAX_CONNECTIONS, NetworkConnection
from mem0_exports.http.network_driver import AsyncNetworkDriver, NetworkDriver
from mem0_exports.http.settings import PollSchedule, Retry, Settings


class Clock:
    """Replaces `time` in the module under test: only the test moves it."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    replacement = Clock()
    monkeypatch.setattr(deadlines, "time", replacement)
    return replacement


class RecordingStream(httpcore.NetworkStream):
    """A connection that does nothing but record the timeouts it is given."""

    def __init__(self):
        self.timeouts = []

    def read(self, max_bytes, timeout=None):
        self.timeouts.append(timeout)
        return b""

    def write(self, buffer, timeout=None):
        self.timeouts.append(timeout)

    def start_tls(self, ssl_context, server_hostname=None, timeout=None):
        self.timeouts.append(timeout)
        return self


class SecondAddressBackend(httpcore.NetworkBackend):
    """A backend that times out for the first address and connects to the second."""

    def __init__(self, clock):
        self.clock = clock
        self.tried = []

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.tried.append((host, timeout))
        if host == "192.0.2.1":
            self.clock.now += 0.5
            raise httpcore.ConnectTimeout
        return RecordingStream()


def test_limits_every_operation_to_the_time_left(clock):
    inner = RecordingStream()
    stream = _Stream(inner)

    with Deadline(clock.now + 2):
        stream.read(1, 30)
        clock.now += 0.25
        stream.write(b"x", 30)
        clock.now += 0.25
        secure = stream.start_tls(None, "host", 30)
        secure.read(1, 0.5)
        secure.read(1)

    assert isinstance(secure, _Stream), "the stream must be limited after the TLS handshake, too"
    assert inner.timeouts == [2, 1.75, 1.5, 0.5, 1.5]


@pytest.mark.parametrize(
    ("act", "timeout_error"),
    [
        (lambda stream: stream.read(1, 30), httpcore.ReadTimeout),
        (lambda stream: stream.write(b"x", 30), httpcore.WriteTimeout),
        (lambda stream: stream.start_tls(None, "host", 30), httpcore.ConnectTimeout),
    ],
)
def test_raises_without_any_io_after_the_deadline(clock, act, timeout_error):
    inner = RecordingStream()

    with Deadline(clock.now), pytest.raises(timeout_error):
        act(_Stream(inner))

    assert inner.timeouts == []


def test_an_inner_deadline_ends_with_its_context_and_restores_the_outer_one(clock):
    inner = RecordingStream()
    stream = _Stream(inner)

    with Deadline(clock.now + 5):
        with Deadline(clock.now + 1):
            pass
        stream.read(1, 30)
    stream.read(1, 30)

    assert inner.timeouts == [5, 30]


def test_tries_each_address_of_a_host_within_the_time_left(monkeypatch, clock):
    addresses = [(0, 0, 0, "", (address, 80)) for address in ("192.0.2.1", "192.0.2.2")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    backend = SecondAddressBackend(clock)

    with Deadline(clock.now + 2):
        assert isinstance(Backend(backend).connect_tcp("host", 80, 30), _Stream)

    assert backend.tried == [("192.0.2.1", 2), ("192.0.2.2", 1.5)]


def test_raises_connection_failed_for_an_unknown_host():
    with pytest.raises(ConnectionFailed) as failed:
        Client("key", base_url="http://nowhere.invalid", retry=Retry(attempts=1)).ping()

    assert failed.value.sent is False


def test_limits_connections_through_proxies_but_not_those_of_a_users_transport(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    http = NetworkDriver("http://service.invalid", HEADERS, None).prepare()
    users_transport = httpx.HTTPTransport()

    NetworkDriver("http://service.invalid", HEADERS, users_transport).prepare()

    pools = [transport._pool for transport in (http._transport, *filter(None, http._mounts.values()))]
    assert len(pools) >= 2
    assert all(isinstance(pool._network_backend, Backend) for pool in pools)
    assert not isinstance(users_transport._pool._network_backend, Backend)


# ---- errors of httpx -------------------------------------------------------------------------------------------------

HEADERS = {"authorization": "Token m0-a-secret-key"}


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (httpx.ConnectError("x"), False),
        (httpx.ConnectTimeout("x"), False),
        (httpx.PoolTimeout("x"), False),
        (httpx.ProxyError("x"), False),
        (httpx.UnsupportedProtocol("x"), False),
        (httpx.ReadError("x"), True),
        (httpx.WriteError("x"), True),
        (httpx.ReadTimeout("x"), True),
        (httpx.RemoteProtocolError("x"), True),
        (RuntimeError("x"), True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_error_says_whether_the_request_may_have_been_sent(error, sent):
    from mem0_exports import NoAnswer

    def fail(_request):
        raise error

    with pytest.raises(NoAnswer) as failed:
        ping_with(fail)

    assert failed.value.sent is sent


def test_removes_the_key_from_messages_of_httpx():
    def fail(_request):
        raise httpx.ConnectError("sent Token m0-a-secret-key")

    with pytest.raises(ConnectionFailed, match=r"Token \[key\]"):
        ping_with(fail)


def ping_with(handler):
    driver = NetworkDriver("http://service.invalid", HEADERS, httpx.MockTransport(handler))
    settings = Settings(5, PollSchedule(), driver.clock, retry=Retry(attempts=1))
    return driver.run(send(Request("ping", "GET", "/"), lambda response: response, settings))


# ---- forks, closing, atomic calls ------------------------------------------------------------------------------------


def test_a_fork_replaces_locks_that_another_thread_holds():
    driver = NetworkConnection("http://service.invalid", HEADERS, own_transport=False)
    before = driver._lock, _network._ssl_lock
    for lock in before:
        lock.acquire()
    try:
        _connection._after_fork()
        _network._after_fork()
        assert not driver._lock.locked()
        assert not _network._ssl_lock.locked()
    finally:
        for lock in before:
            lock.release()


@pytest.mark.parametrize(("kind", "name"), [(NetworkDriver, "_http"), (AsyncNetworkDriver, "_slots")])
def test_forget_connections_drops_the_pool(kind, name):
    driver = kind("http://service.invalid", HEADERS, None)
    setattr(driver, name, object())

    driver.forget_connections()

    assert getattr(driver, name) is None


def test_an_async_driver_has_a_client_for_each_request_at_a_time():
    driver = AsyncNetworkDriver("http://service.invalid", HEADERS, None)

    async def lend():
        slots = driver.prepare()
        with slots.one() as first, slots.one() as second:
            assert first is not second
        with slots.one() as again:
            assert again is first, "the one that was given back last, whose connection is still open"
        with contextlib.ExitStack() as lent:
            clients = {lent.enter_context(slots.one()) for _ in range(250)}
        assert len(clients) == len(slots.all) == MAX_CONNECTIONS, "more requests share them"
        await driver.close()
        return [client.is_closed for client in slots.all]

    assert anyio.run(lend) == [True] * MAX_CONNECTIONS


def test_a_transport_of_the_users_own_has_a_single_client():
    driver = AsyncNetworkDriver("http://service.invalid", HEADERS, httpx.MockTransport(lambda _: httpx.Response(200)))

    async def lend():
        slots = driver.prepare()
        with slots.one() as first, slots.one() as second:
            return first is second

    assert anyio.run(lend)


def test_close_closes_a_transport_that_was_never_used():
    closed = []

    class RecordingTransport(httpx.BaseTransport):
        def close(self):
            closed.append(1)

    Client("key", transport=RecordingTransport()).close()

    assert closed == [1]


def test_a_dropped_atomic_call_never_runs():
    done = []
    work = AtomicCall(lambda: done.append(1))

    assert work.carried_out is False
    work()

    assert done == []
