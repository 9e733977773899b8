"""One client suite, six ways: sync and async, over the engine in memory, in a file, and behind a real server."""

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
def place(request):
    return request.param


@pytest.fixture(params=["sync", "async"])
def client(request, place, tmp_path):
    kind = Client if request.param == "sync" else AsyncClient
    if place == "http":
        made = kind(API_KEY, base_url=request.getfixturevalue("server"))
    else:
        made = kind.local(":memory:" if place == "memory" else tmp_path / "store.db")
    if kind is Client:
        with made:
            yield made
        return
    with blocking(made) as wrapped:
        yield wrapped


@pytest.fixture
def user(request):
    """A user of this test's own: the server is shared."""
    return f"user-{abs(hash(request.node.nodeid))}"
