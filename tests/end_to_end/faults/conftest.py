"""Fixtures: a server with scripted faults, and a client for it, sync and async."""

from __future__ import annotations

import pytest

from mem0_exports import AsyncClient, Client, Retry
from tests.end_to_end.faults.server import FaultServer
from tests.support.blocking import blocking
from tests.support.timeouts import scaled


KEY = "m0-a-secret-key"

QUICK = Retry(initial_delay=0.01)
"""The default retry policy with a short initial delay."""


@pytest.fixture
def server():
    with FaultServer(key=KEY, polls_until_ready=1) as running:
        yield running


@pytest.fixture(params=["sync", "async"])
def client(request, server):
    if request.param == "sync":
        with Client(KEY, base_url=server.url, timeout=scaled(10), retry=QUICK) as instance:
            yield instance
    else:
        with blocking(AsyncClient(KEY, base_url=server.url, timeout=scaled(10), retry=QUICK)) as instance:
            yield instance
