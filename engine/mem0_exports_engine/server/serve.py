"""Run the engine as an HTTP server until it is told to stop. Needs the extra `mem0-exports[server]`."""

from __future__ import annotations

import contextlib
import gc
import logging
import math
import os
import signal
import socket
import sys
import threading
import time

from typing import TYPE_CHECKING, Final

import uvicorn

from mem0_exports.errors import ConfigurationError
from mem0_exports_engine.access import KeyAccess
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.loopback import is_loopback
from mem0_exports_engine.server import logs
from mem0_exports_engine.server.app import build
from mem0_exports_engine.server.slow_clients import TimeoutProtocol
from mem0_exports_engine.store import open_store
from mem0_exports_engine.workers.thread import THREAD_NAME


if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from mem0_exports.llm import LLM


_LAST: Final = 0.5
"""Seconds that threads have to end after the grace periods."""

_log = logging.getLogger("mem0_exports_engine")


def serve(
    store: Path,
    *,
    host: str,
    port: int,
    api_key: str | None,
    retention: timedelta,
    grace: float,
    log_level: str,
    notice: str | None = None,
    llm: LLM | None = None,
) -> None:
    """Serve a store until SIGINT or SIGTERM. Print the URL once the server accepts requests.

    On a signal, open requests have `grace` seconds to finish. After that, the running job has another `grace` seconds.
    A job that takes longer is handed back, and the next server of this store runs it again. The process ends within
    twice `grace`, whatever it is doing. Port 0 picks a free port. `notice` is logged first. `llm` reads
    the texts of memories.
    Raises ConfigurationError if `host` is reachable from other machines but there is no API key.
    """
    keyless = api_key is None and not _has_keys(store)
    if keyless and not is_loopback(host):
        raise ConfigurationError(
            f"--host {host} can be reached from other machines, so the server needs an API key: create one with "
            "`mem0-exports keys create`, pass --api-key-file, or set MEM0_API_KEY"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        # Accepted connections inherit this option. Without it, the body of an answer waits up to 40 ms for the client
        # to acknowledge the headers (Nagle's algorithm).
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        engine = Engine(store, served=True, api_key=api_key, retention=retention, llm=llm)
        try:
            if keyless:
                print("no API key is set: every program on this machine can use this server", file=sys.stderr)
            logs.to_stderr(log_level)
            gc.collect()
            gc.freeze()  # what exists by now stays: see `bodies`, which collects garbage after large requests
            if notice is not None:
                _log.warning(notice)
            _run(engine, listening, f"[{host}]" if ":" in host else host, grace)
        finally:
            engine.close(grace)
    _end_without_waiting()


def _end_without_waiting() -> None:
    """End the process if a thread still answers a request, or the worker is in the middle of something.

    Python would wait for the threads of requests, which cannot be interrupted while they wait for the store. Their
    transactions are not committed, so nothing is half written. It would not wait for the worker, but kill it: inside the
    native code that checks a value against a schema, that aborts the whole process.
    """
    others = [each for each in threading.enumerate() if not each.daemon and each is not threading.current_thread()]
    deadline = time.monotonic() + _LAST
    for thread in others:
        thread.join(max(0.0, deadline - time.monotonic()))  # idle ones end at once
    is_answering = any(thread.is_alive() for thread in others)
    if is_answering:
        _log.warning("requests that took longer than the grace period were cut off")
    if is_answering or any(thread.name == THREAD_NAME for thread in threading.enumerate()):
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)


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
            # First stop claiming jobs, because the worker would have no time for another one. Then let the open
            # requests finish. `serve` closes the engine only after that, because these requests need the store.
            engine.workers.take_no_more()
            engine.waiting.close()
            await super().shutdown(sockets)

    # After uvicorn has stopped, it restores the handlers that it found and raises the signal again. The default
    # handlers would end the process before the engine is closed. So handlers that do nothing are installed while
    # uvicorn runs.
    before = {stop: signal.signal(stop, lambda *_: None) for stop in (signal.SIGINT, signal.SIGTERM)}
    try:
        config = uvicorn.Config(
            build(engine),
            http=TimeoutProtocol,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=math.ceil(grace),  # otherwise one slow client could delay shutdown forever
        )
        Server(config).run([listening])
    finally:
        for stop, handler in before.items():
            # From here on, a second signal ends the process, even while it waits for a job. Nothing is lost: the lease
            # of the job ends, and another worker runs it.
            signal.signal(stop, handler)
