"""A real loopback HTTP/1.1 server whose faults are scripted: what the client's promises are tested against.

    with FaultServer(polls_until_ready=1, script=once(RESET_AFTER, None, HTML_502)) as server:
        client = Client("key", base_url=server.url)
        ...
    assert server.dropped_after == 1

The server runs on an event loop in a thread of its own, so that a test may be sync, async or in a child process. Start
child processes with "spawn" or as a command: a forked one keeps the server's sockets open behind its back.

Every counter is up to date before the first byte of the answer goes out, so that a test may look at it as soon as its
client has its answer or its error. What a script or `result_of` raises is raised again where the context ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import email.utils
import http.client
import itertools
import json
import random
import socket
import struct
import threading
import time
import uuid
import zlib

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias


Operation: TypeAlias = Literal["create", "get", "ping", "add", "list", "entities", "unknown"]
"""What a request asks for; "unknown" for any other method and path, which is answered with 404."""

_ROUTES: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/exports/"): "create",
    ("POST", "/v1/exports/get/"): "get",
    ("GET", "/v1/ping/"): "ping",
    ("POST", "/v3/memories/add/"): "add",
    ("POST", "/v3/memories/"): "list",
    ("GET", "/v1/entities/"): "entities",
}

_MESSAGE: Final = "Memory export request received. The export will be ready in a few seconds."
_PENDING: Final = {"error": "No memory export request found"}
_PING: Final = {"status": "ok", "org_id": "org-1", "project_id": "proj-1", "user_email": "alex@example.com"}
_MEMORIES: Final = {
    "count": 1,
    "next": None,
    "previous": None,
    "results": [
        {
            "id": "0d6e7c4b-9a59-4c83-b9a2-0c60b6a2f0d4",
            "memory": "Lives in Lisbon",
            "user_id": "alex",
            "metadata": {"city": "Lisbon"},
            "created_at": "2025-03-04T18:20:00Z",
        }
    ],
}
_ENTITIES: Final = {
    "count": 1,
    "next": None,
    "previous": None,
    "total_users": 1,
    "total_agents": 0,
    "total_apps": 0,
    "total_runs": 0,
    "results": [
        {
            "id": "1",
            "name": "alex",
            "type": "user",
            "created_at": "2025-03-04T18:20:00Z",
            "updated_at": "2025-03-04T18:20:00Z",
            "owner": None,
            "metadata": None,
        }
    ],
}


class Asked(NamedTuple):
    """A request, as a script sees it. Header names are lower case; `number` counts the operation's, from 1."""

    operation: Operation
    number: int
    body: Any
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """The right answer to a request: a status and a JSON value."""

    status: int
    value: Any


# ---- faults ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request. The constants below are all there are; `but` gives one other parameters.

    `processed`: the operation takes place all the same, and a poll counts.
    `dropped`: after it the client of a create cannot know whether there is a job, or cannot learn its id.
    """

    name: str
    processed: bool
    dropped: bool
    says: Callable[[Fault, Answer], bytes]
    """The bytes to send in the place of the right answer."""
    then: Literal["keep", "close", "reset", "hang"] = "keep"
    """What becomes of the connection: it stays open, is closed (FIN) or reset (RST), or nothing more happens on it."""
    succeeds: bool = False
    """The answer that is spoilt is that of a success, even for a job that is not ready."""
    drips: Literal["nothing", "all", "headers"] = "nothing"
    """What is sent byte by byte. The answer to a create counts as dropped only until its last part is on its way."""
    interval: float = 0.005
    """Seconds between the bytes of a drip."""
    seconds: float = 0.0
    """What Retry-After says."""
    skew: float = 0.0
    """How many seconds the server's clock, which writes dates, is ahead."""
    location: str = "https://elsewhere.invalid/v1/exports/"
    """Where a redirect leads."""

    def but(self, **changes: Any) -> Fault:
        """This fault with other parameters: `STALL.but(processed=True)`, `RATE_LIMITED.but(seconds=3)`."""
        return dataclasses.replace(self, **changes)

    def __str__(self) -> str:
        return self.name


def _message(status: int, body: bytes, *, length: int | None = None, **headers: str) -> bytes:
    """A whole HTTP response; JSON unless `headers` say otherwise."""
    fields = {"content-type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    lines = "".join(f"{name}: {text}\r\n" for name, text in fields.items())
    length = len(body) if length is None else length
    return (
        f"HTTP/1.1 {status} {http.client.responses.get(status, '')}\r\n{lines}content-length: {length}\r\n\r\n".encode()
        + body
    )


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _nothing(_fault: Fault, _answer: Answer) -> bytes:
    return b""


def _right(_fault: Fault, answer: Answer) -> bytes:
    return _message(answer.status, _json(answer.value))


def _fixed(status: int, body: bytes) -> Callable[[Fault, Answer], bytes]:
    text = _message(status, body)
    return lambda _fault, _answer: text


def _garbage(_fault: Fault, _answer: Answer) -> bytes:
    return b"\x16\x03\x01 this is not HTTP\r\n\r\n"


def _bad_gateway(_fault: Fault, _answer: Answer) -> bytes:
    return _message(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>\n", content_type="text/html")


def _truncated(_fault: Fault, answer: Answer) -> bytes:
    body = _json(answer.value)
    return _message(answer.status, body[: len(body) // 2], length=len(body))


def _of_the_status(body: bytes) -> Callable[[Fault, Answer], bytes]:
    return lambda _fault, answer: _message(answer.status, body)


def _short(_fault: Fault, answer: Answer) -> bytes:
    body = _json(answer.value)
    return _message(answer.status, body[: len(body) // 2])


def _spoilt(value_of: Callable[[Any], Any]) -> Callable[[Fault, Answer], bytes]:
    """The right answer with another value under every key but `message`."""

    def says(_fault: Fault, answer: Answer) -> bytes:
        spoilt = {key: value if key == "message" else value_of(value) for key, value in answer.value.items()}
        return _message(answer.status, _json(spoilt))

    return says


def _invalid_utf8(fault: Fault, answer: Answer) -> bytes:
    return _spoilt(lambda _: "??")(fault, answer).replace(b'"??"', b'"\xff\xfe"')


def _waiting(status: int) -> Callable[[Fault, Answer], bytes]:
    """A refusal with Retry-After in seconds."""
    body = _json({"detail": "Request was throttled." if status == 429 else "Service unavailable."})
    return lambda fault, _answer: _message(status, body, retry_after=f"{fault.seconds:.10g}")


def _limited_until(fault: Fault, _answer: Answer) -> bytes:
    now = int(time.time() + fault.skew)
    date, until = (email.utils.formatdate(when, usegmt=True) for when in (now, now + fault.seconds))
    return _message(429, _json({"detail": "Request was throttled."}), date=date, retry_after=until)


def _redirected(fault: Fault, _answer: Answer) -> bytes:
    return _message(302, b"", location=fault.location)


# No answer, or none that is whole.
RESET_BEFORE: Final = Fault("reset_before", False, True, _nothing, "reset")
RESET_AFTER: Final = Fault("reset_after", True, True, _nothing, "reset")
CLOSE_BEFORE: Final = Fault("close_before", False, True, _nothing, "close")
CLOSE_AFTER: Final = Fault("close_after", True, True, _nothing, "close")
STALL: Final = Fault("stall", False, True, _nothing, "hang")
STALL_AFTER: Final = STALL.but(name="stall_after", processed=True)
TRUNCATE: Final = Fault("truncate", True, True, _truncated, "close")
GARBAGE: Final = Fault("garbage", True, True, _garbage, "close")

# The right answer, slowly.
DRIP: Final = Fault("drip", True, True, _right, drips="all")
DRIP_HEADERS: Final = DRIP.but(name="drip_headers", drips="headers")

# Errors that say nothing about what took place.
HTML_502: Final = Fault("html_502", False, True, _bad_gateway)
HTML_502_AFTER: Final = Fault("html_502_after", True, True, _bad_gateway)
STATUS_520: Final = Fault("status_520", False, True, _fixed(520, b""))
ERROR_500_AFTER: Final = Fault("error_500_after", True, True, _fixed(500, _json({"error": "Internal server error"})))
UNAVAILABLE_BARE: Final = Fault("unavailable_bare", False, True, _fixed(503, _json({"detail": "Unavailable."})))

# Errors that say that nothing took place.
RATE_LIMITED: Final = Fault("rate_limited", False, False, _waiting(429), seconds=1)
RATE_LIMITED_DATE: Final = Fault("rate_limited_date", False, False, _limited_until, seconds=1)
UNAVAILABLE: Final = Fault("unavailable", False, False, _waiting(503))
REDIRECT: Final = Fault("redirect", False, False, _redirected)
BAD_REQUEST: Final = Fault("bad_request", False, False, _fixed(400, _json({"message": "Scripted refusal"})))

# A success whose body is not what it should be.
EMPTY_SUCCESS: Final = Fault("empty_success", True, True, _of_the_status(b""), succeeds=True)
SHORT_JSON: Final = Fault("short_json", True, True, _short, succeeds=True)
INVALID_UTF8: Final = Fault("invalid_utf8", True, True, _invalid_utf8, succeeds=True)
NAN: Final = Fault("nan", True, True, _spoilt(lambda _: float("nan")), succeeds=True)
WRONG_TYPES: Final = Fault(
    "wrong_types", True, True, _spoilt(lambda value: 5 if isinstance(value, str) else "wrong"), succeeds=True
)
DEEP: Final = Fault("deep", True, True, _of_the_status(b"[" * 100_000 + b"]" * 100_000), succeeds=True)

EVERY: Final = tuple(each for each in globals().values() if isinstance(each, Fault))
"""All faults, in the order above."""

AT_ONCE: Final = tuple(each for each in EVERY if each.then != "hang" and each.drips == "nothing" and not each.seconds)
"""Those for which nobody has to wait: no stall, no drip and no Retry-After above 0."""


# ---- scripts ---------------------------------------------------------------------------------------------------------

Script: TypeAlias = Callable[[Asked], Fault | None]
"""What goes wrong with a request. It is called on the server's loop: one request at a time, and without waiting."""


def never(_asked: Asked) -> None:
    """The script without faults."""


def once(*faults: Fault | None, operation: Operation = "create") -> Script:
    """These faults for the next requests of this operation, in order; None for a request without; then nothing."""
    remaining = iter(faults)
    return lambda asked: next(remaining, None) if asked.operation == operation else None


def at_random(
    rate: float,
    seed: int,
    weights: Mapping[Fault, float] | None = None,
    *,
    operations: frozenset[Operation] | set[Operation] | None = None,
) -> Script:
    """A fault for this share of the requests (of these operations), drawn by weight; out of AT_ONCE, equally, for None.

    What the nth request meets depends on the seed alone, but which request is the nth is up to the clients.
    """
    draw = random.Random(seed)
    chosen = dict.fromkeys(AT_ONCE, 1.0) if weights is None else weights
    population, bounds = list(chosen), list(itertools.accumulate(chosen.values()))

    def script(asked: Asked) -> Fault | None:
        if operations is not None and asked.operation not in operations:
            return None
        return draw.choices(population, cum_weights=bounds)[0] if draw.random() < rate else None

    return script


# ---- what is exported ------------------------------------------------------------------------------------------------


def question(body: Any) -> str:
    """The key of `creates_by_question`: the body of a create as canonical JSON."""
    return json.dumps(body, sort_keys=True)


def user_of(filters: Any) -> str | None:
    """The first user_id anywhere in the filters: a text, or the first text among its operators."""
    if isinstance(filters, dict):
        if "user_id" in filters:
            return _first_text(filters["user_id"])
        filters = list(filters.values())
    if isinstance(filters, list):
        return next((user for user in map(user_of, filters) if user is not None), None)
    return None


def _first_text(value: Any) -> str | None:
    while isinstance(value, dict | list) and value:
        value = next(iter(value.values() if isinstance(value, dict) else value))
    return value if isinstance(value, str) else None


def result_of(body: Any) -> dict[str, Any]:
    """The result of an export unless the test says otherwise: the user, and a number that is always theirs."""
    user = user_of(body.get("filters"))
    return {"user": user, "n": zlib.crc32((user or "").encode())}


# ---- the server ------------------------------------------------------------------------------------------------------


def _bound(port: int) -> socket.socket:
    """A socket that has this loopback port (a free one for 0) and does not listen: connections are refused."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN; what was not sent yet is lost."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class FaultServer:
    """The server; a context manager. It serves the operations of openapi.yaml, on 127.0.0.1 and a free port.

    A create is processed by storing a job. Its result is `result_of(body)`, and the first `polls_until_ready` polls
    that are processed get a 404; it may be a function of the body of the create. A wrong key is answered with 401 before the script is asked.

    `on_connect` is called with the number of each accepted connection, from 1. Where it gives true, the connection is
    reset before a byte of it is read: nothing is processed, and no request counts. The client mostly sees what it sees
    after RESET_BEFORE, ECONNRESET while it waits for the answer, and so cannot know; at times, and often on a busy
    machine, the same error comes from its send or even from its connect. In httpx that is a ReadError, a
    RemoteProtocolError (where the send failed, which httpx passes over) or a ConnectError.
    """

    def __init__(
        self,
        *,
        key: str = "key",
        polls_until_ready: int | Callable[[Any], int] = 2,
        result_of: Callable[[Any], dict[str, Any]] = result_of,
        script: Script = never,
        on_connect: Callable[[int], bool] | None = None,
    ) -> None:
        self.key = key
        self.polls_until_ready = polls_until_ready
        self.result_of = result_of
        self.script = script
        self.on_connect = on_connect

        self.port = 0
        self.jobs: dict[str, Any] = {}
        """The bodies of the creates that were processed, by job id."""
        self.created: list[str] = []
        self.creates_by_question: Counter[str] = Counter()
        """Creates that were processed, by `question(body)`."""
        self.polls: Counter[str] = Counter()
        """Polls that were processed, by job id."""
        self.adds = 0
        self.requests: Counter[Operation] = Counter()
        self.answered: Counter[tuple[Operation, int | None]] = Counter()
        """By operation and status; None where the client gets no status."""
        self.faults: Counter[str] = Counter()
        """By the fault's name."""
        self.dropped_creates = 0
        self.dropped_after = 0
        """Those of `dropped_creates` that were processed: each is a job whose id its creator does not know."""
        self.seen_headers: Mapping[str, str] = {}
        """Of the last request."""
        self.connections = 0
        self.connections_reset = 0
        """By `on_connect`."""
        self.errors: list[Exception] = []
        """What a script or `result_of` raised, and requests that are no HTTP."""

        self._is_open = False
        self._conversations: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    # -- start and stop

    def __enter__(self) -> Self:
        self._socket = _bound(0)
        self.port = self._socket.getsockname()[1]
        started = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._main(started),), name="faults", daemon=True)
        self._thread.start()
        assert started.wait(60), "the server did not start"
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        if self.errors and kind is None:
            raise self.errors[0]

    async def _main(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        await self._open()
        started.set()
        await self._stopped.wait()
        if self._is_open:
            await self._close()
        self._socket.close()

    async def _open(self) -> None:
        self._listener = await asyncio.start_server(self._connected, sock=self._socket, backlog=1024)
        self._is_open = True

    async def _close(self) -> None:
        """Neither listen nor talk to anybody, but keep the port: nobody else gets it, as a server or as a client."""
        self._is_open = False
        self._loop.remove_reader(self._socket)
        for _ in range(5):  # asyncio leaks the connections that it is accepting while its server is closed
            await asyncio.sleep(0)
        self._listener.close()
        self._socket = _bound(self.port)
        conversations = dict(self._conversations)
        for task, writer in conversations.items():
            writer.transport.abort()
            task.cancel()
        if conversations:
            await asyncio.wait(conversations)
        await asyncio.sleep(0)

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Connections are refused, and those that were open are closed, for as long as the context lasts.

        For the test's own thread, also below a running event loop; not for scripts.
        """
        self._do(self._close())
        try:
            yield
        finally:
            self._do(self._open())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    # -- connections

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_open:  # accepted a moment ago
            _reset(writer)
            return
        self.connections += 1
        if self.on_connect is not None:
            try:
                refused = self.on_connect(self.connections)
            except Exception as error:  # noqa: BLE001 -- it is raised at the end of the context
                self.errors.append(error)
                refused = True
            if refused:
                self.connections_reset += 1
                _reset(writer)
                return
        task = self._loop.create_task(self._serve(reader, writer))
        self._conversations[task] = writer
        task.add_done_callback(self._conversations.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the server is closed
        except Exception as error:  # noqa: BLE001 -- it is raised at the end of the context
            self.errors.append(error)
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and what comes of it; whether there may be another one."""
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head[:-4].decode("latin-1").split("\r\n")
        method, target, _version = line.split(" ")
        headers = {name.lower(): text.strip() for name, _, text in (field.partition(":") for field in fields)}
        length = int(headers.get("content-length", 0))
        content = await reader.readexactly(length) if length else b""

        operation, fault, text = self._decide(method, target.partition("?")[0], headers, content)
        if fault is None:
            writer.write(text)
            await writer.drain()
            return headers.get("connection", "").lower() != "close"
        if fault.drips != "nothing":
            text = await self._drip(reader, writer, operation, fault, text)
        writer.write(text)
        await writer.drain()
        if fault.then == "reset":
            _reset(writer)
        elif fault.then == "hang":
            while await reader.read(65536):
                pass
        return fault.then == "keep" and headers.get("connection", "").lower() != "close"

    async def _drip(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        operation: Operation,
        fault: Fault,
        text: bytes,
    ) -> bytes:
        """Send all but the last part, which is returned; ConnectionError where the client does not wait for it."""
        end = text.index(b"\r\n\r\n") + 4 if fault.drips == "headers" else len(text) - 1
        for position in range(end):
            writer.write(text[position : position + 1])
            await asyncio.sleep(fault.interval)
            if reader.at_eof() or writer.is_closing():
                raise ConnectionError
        self._count_dropped(operation, fault, -1)
        return text[end:]

    # -- requests

    def _decide(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes
    ) -> tuple[Operation, Fault | None, bytes]:
        """Do what a request asks for, and count it: its operation, its fault and the bytes to send."""
        operation = _ROUTES.get((method, path), "unknown")
        self.requests[operation] += 1
        self.seen_headers = headers
        fault = None
        answer = self._refusal(operation, headers)
        if answer is None:
            try:
                body = json.loads(content) if content else None
            except ValueError:
                body = None
            fault = self.script(Asked(operation, self.requests[operation], body, headers))
            answer = self._answer(operation, body, fault)
        if fault is None:
            self.answered[operation, answer.status] += 1
            return operation, None, _message(answer.status, _json(answer.value))
        text = fault.says(fault, answer)
        self.faults[fault.name] += 1
        self.answered[operation, int(text[9:12]) if text.startswith(b"HTTP/1.1 ") else None] += 1
        self._count_dropped(operation, fault, 1)
        return operation, fault, text

    def _refusal(self, operation: Operation, headers: Mapping[str, str]) -> Answer | None:
        if operation == "unknown":
            return Answer(404, {"detail": "Not found."})
        if headers.get("authorization") != f"Token {self.key}":
            return Answer(401, {"detail": "Invalid API key."})
        return None

    def _count_dropped(self, operation: Operation, fault: Fault, change: int) -> None:
        if operation == "create" and fault.dropped:
            self.dropped_creates += change
            if fault.processed:
                self.dropped_after += change

    def _answer(self, operation: Operation, body: Any, fault: Fault | None) -> Answer:
        """The right answer. What it needs to know is kept only where the fault lets the operation take place."""
        processed = fault is None or fault.processed
        if operation == "ping":
            return Answer(200, _PING)
        if operation == "entities":
            return Answer(200, _ENTITIES)
        if not isinstance(body, dict):
            return Answer(400, {"message": "The body must be a JSON object", "error": "400 Bad Request"})
        if operation == "list":
            return Answer(200, _MEMORIES)
        if operation == "get":
            return self._result(body.get("memory_export_id"), processed, ready=fault is not None and fault.succeeds)
        if operation == "create":
            job_id = str(uuid.uuid4())
            if processed:
                self.jobs[job_id] = body
                self.created.append(job_id)
                self.creates_by_question[question(body)] += 1
            return Answer(201, {"message": _MESSAGE, "id": job_id})
        self.adds += processed
        stored = [
            {"id": str(uuid.uuid4()), "data": {"memory": message["content"]}, "event": "ADD"}
            for message in body["messages"]
            if message["role"] != "system"
        ]
        done = {"message": "Memories stored successfully", "status": "SUCCEEDED", "event_id": str(uuid.uuid4())}
        return Answer(200, {**done, "results": stored})

    def _result(self, job_id: Any, processed: bool, *, ready: bool) -> Answer:
        if job_id not in self.jobs:
            return Answer(404, _PENDING)
        self.polls[job_id] += processed
        body, until = self.jobs[job_id], self.polls_until_ready
        if ready or self.polls[job_id] > (until(body) if callable(until) else until):
            return Answer(200, self.result_of(body))
        return Answer(404, _PENDING)
