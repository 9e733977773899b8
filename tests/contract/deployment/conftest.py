"""A store with memories, and the environment that the checks of a deployment see."""

from __future__ import annotations

import os

import pytest

from mem0_exports import Client
from tests.contract.deployment.running import KEY


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Set the key, and remove the variables by which a machine may redirect requests."""
    for name in [*os.environ]:
        if name.upper().endswith("_PROXY") or name.startswith("SSL_CERT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MEM0_API_KEY", KEY)


@pytest.fixture
def store(tmp_path):
    """The path of a store with memories of several entities."""
    path = tmp_path / "store.db"
    with Client.local(path) as client:
        for number in range(7):
            client.memories.add(f"fact {number}", user_id="alex", metadata={"number": number})
        client.memories.add("another fact", agent_id="helper", run_id="run-1")
    return path
