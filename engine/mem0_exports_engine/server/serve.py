"""Runs the engine as a server, until it is told to stop. Needs `mem0-exports[server]`."""

from __future__ import annotations

import contextlib
import math
import signal
import socket
import sys

from typing import TYPE_CHECKING

import uvicorn

from mem0_exports.errors import ConfigurationError
from mem0_exports_engine.access import KeyAccess
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.loopback import is_loopback
from mem0_exports_engine.server import logs
from mem0_exports_engine.server.app import build
from mem0_exports_engine.server.slow_clients import TimeoutProtocol
from mem0_exports_engine.store import open_store


if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path


def serve(
    store: Path, *, host: str, port: int, api_key: str | None, retention: timedelta, grace: float, log_level: str
) -> None:
    """Serve a store at an address; `port` 0 is any that is free. Says on standard output where it listens.

    SIGINT and SIGTERM end it: requests have `grace` seconds to be answered, and then so has the running job; if it
    takes longer it is handed back, for this store's next server. ConfigurationError where other machines would get in
    and there is no key.
    """
    keyless = api_key is None and not _has_keys(store)
    if keyless and not is_loopback(host):
        raise ConfigurationError(
            f"--host {host} lets other machines in, and there is no key: make one with `mem0-exports keys create`, or "
            "give --api-key, or set MEM0_API_KEY"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        # Without it each answer waits some 40 ms for the client to confirm its head.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        engine = Engine(store, served=True, api_key=api_key, retention=retention)
        if keyless:
            print("no key is set: every program on this machine may use this service", file=sys.stderr)
        logs.to_stderr(log_level)
        try:
            _run(engine, listening, f"[{host}]" if ":" in host else host, grace)
        finally:
            engine.close(grace)


def _has_keys(path: Path) -> bool:
    if not path.exists():
        return False
    with contextlib.closing(open_store(path)) as store:
        return KeyAccess(store.keys).needs_key


def _run(engine: Engine, listening: socket.socket, host: str, grace: float) -> None:
    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            print(f"listening on http://{host}:{listening.getsockname()[1]}", flush=True)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            engine.worker.take_no_more()
            await super().shutdown(sockets)

    # Once it has stopped, uvicorn raises the signal that stopped it again; the engine is to be closed first.
    before = {stop: signal.signal(stop, lambda *_: None) for stop in (signal.SIGINT, signal.SIGTERM)}
    try:
        config = uvicorn.Config(
            build(engine),
            http=TimeoutProtocol,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=math.ceil(grace),  # a client that reads slowly does not keep it from stopping
        )
        Server(config).run([listening])
    finally:
        for stop, handler in before.items():
            signal.signal(stop, handler)  # so that a second signal ends the wait for a job, which goes on later
