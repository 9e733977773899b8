"""Fixtures that run a test with six clients: sync and async, on an engine in memory, in a file, and over HTTP."""

from __future__ import annotations

import pytest

from mem0_exports import AsyncClient, Client
from tests.support.blocking import blocking
from tests.support.serving import served


API_KEY = "congruence-key"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with served(tmp_path_factory.mktemp("served") / "store.db", API_KEY) as url:
        yield url


@pytest.fixture(params=["memory", "file", "http"])
def backend(request):
    return request.param


@pytest.fixture(params=["sync", "async"])
def client(request, backend, tmp_path):
    client_class = Client if request.param == "sync" else AsyncClient
    if backend == "http":
        unwrapped = client_class(API_KEY, base_url=request.getfixturevalue("server"))
    else:
        unwrapped = client_class.local(":memory:" if backend == "memory" else tmp_path / "store.db")
    if client_class is Client:
        with unwrapped:
            yield unwrapped
        return
    with blocking(unwrapped) as wrapped:
        yield wrapped


@pytest.fixture
def user(request):
    """A user id that no other test uses, because the tests share a server."""
    return f"user-{abs(hash(request.node.nodeid))}"
