"""A real HTTP/1.1 server on loopback with scripted faults, for tests of what the client does on a bad network.

    with FaultServer(polls_until_ready=1, script=once(RESET_AFTER, None, HTML_502)) as server:
        client = Client("key", base_url=server.url)
        ...
    assert server.orphaned_jobs == 1

The server runs on an event loop in a thread of its own, so tests may be sync, async or in a child process. Start child
processes with "spawn" or as a command: a forked child would inherit the server's sockets and keep them open.

All counters are updated before the first byte of the answer is sent, so a test may read them as soon as its client has
the answer or an error. An exception in a script or in `result_of` is raised again at the end of the context.
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


Operation: TypeAlias = Literal["create", "get", "ping", "add", "list", "entities", "get_memory", "delete", "unknown"]
"""The operation of a request; "unknown" for any other method and path, which gets a 404."""

MEMORY_ID: Final = "0d6e7c4b-9a59-4c83-b9a2-0c60b6a2f0d4"
"""The id of the only memory."""

_ROUTES: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/exports/"): "create",
    ("POST", "/v1/exports/get/"): "get",
    ("GET", "/v1/ping/"): "ping",
    ("POST", "/v3/memories/add/"): "add",
    ("POST", "/v3/memories/"): "list",
    ("GET", "/v1/entities/"): "entities",
    ("GET", f"/v1/memories/{MEMORY_ID}/"): "get_memory",
    ("DELETE", f"/v1/memories/{MEMORY_ID}/"): "delete",
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
            "id": MEMORY_ID,
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


class ReceivedRequest(NamedTuple):
    """A request, as passed to scripts. Header names are in lower case; `number` counts per operation, from 1."""

    operation: Operation
    number: int
    body: Any
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """The correct answer to a request: a status and a JSON value."""

    status: int
    value: Any


# ---- faults ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one answer. The constants below are all faults; `replace` changes their parameters.

    `processed`: the operation is carried out in spite of the fault, and a poll counts.
    `ambiguous`: the client of a create cannot know whether there is a job, or does not learn its id.
    """

    name: str
    processed: bool
    ambiguous: bool
    response: Callable[[Fault, Answer], bytes]
    """Returns the bytes to send instead of the correct answer."""
    then: Literal["keep", "close", "reset", "hang"] = "keep"
    """What happens to the connection then: it stays open, is closed (FIN), is reset (RST), or goes silent."""
    succeeds: bool = False
    """Whether the fault needs a successful answer; a poll then gets one even if the job is not ready."""
    drips: Literal["nothing", "all", "headers"] = "nothing"
    """What is sent byte by byte. A create counts as ambiguous only until the last part of its answer is sent."""
    interval: float = 0.005
    """Seconds between the bytes that are sent one by one."""
    seconds: float = 0.0
    """The Retry-After of the answer."""
    skew: float = 0.0
    """How many seconds the clock that writes the dates in headers is ahead."""
    location: str = "https://elsewhere.invalid/v1/exports/"
    """The target of a redirect."""

    def replace(self, **changes: Any) -> Fault:
        """Return this fault with other parameters, such as `RATE_LIMITED.replace(seconds=3)`."""
        return dataclasses.replace(self, **changes)

    def __str__(self) -> str:
        return self.name


def _message(status: int, body: bytes, *, length: int | None = None, **headers: str) -> bytes:
    """Return a complete HTTP response, by default with content type JSON."""
    fields = {"content-type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    lines = "".join(f"{name}: {text}\r\n" for name, text in fields.items())
    length = len(body) if length is None else length
    return (
        f"HTTP/1.1 {status} {http.client.responses.get(status, '')}\r\n{lines}content-length: {length}\r\n\r\n".encode()
        + body
    )


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _no_bytes(_fault: Fault, _answer: Answer) -> bytes:
    return b""


def _correct(_fault: Fault, answer: Answer) -> bytes:
    return _message(answer.status, _json(answer.value))


def _always(status: int, body: bytes) -> Callable[[Fault, Answer], bytes]:
    text = _message(status, body)
    return lambda _fault, _answer: text


def _garbage(_fault: Fault, _answer: Answer) -> bytes:
    return b"\x16\x03\x01 this is not HTTP\r\n\r\n"


def _bad_gateway(_fault: Fault, _answer: Answer) -> bytes:
    return _message(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>\n", content_type="text/html")


def _truncated(_fault: Fault, answer: Answer) -> bytes:
    body = _json(answer.value)
    return _message(answer.status, body[: len(body) // 2], length=len(body))


def _with_body(body: bytes) -> Callable[[Fault, Answer], bytes]:
    return lambda _fault, answer: _message(answer.status, body)


def _cut_body(_fault: Fault, answer: Answer) -> bytes:
    body = _json(answer.value)
    return _message(answer.status, body[: len(body) // 2])


def _with_values(value_of: Callable[[Any], Any]) -> Callable[[Fault, Answer], bytes]:
    """Return a response function that replaces all values in the correct answer, except that of `message` beside others."""

    def response(_fault: Fault, answer: Answer) -> bytes:
        kept = {"message"} if len(answer.value) > 1 else set()
        changed = {key: value if key in kept else value_of(value) for key, value in answer.value.items()}
        return _message(answer.status, _json(changed))

    return response


def _invalid_utf8(fault: Fault, answer: Answer) -> bytes:
    return _with_values(lambda _: "??")(fault, answer).replace(b'"??"', b'"\xff\xfe"')


def _with_retry_after(status: int) -> Callable[[Fault, Answer], bytes]:
    """Return a response function for a refusal with Retry-After in seconds."""
    body = _json({"detail": "Request was throttled." if status == 429 else "Service unavailable."})
    return lambda fault, _answer: _message(status, body, retry_after=f"{fault.seconds:.10g}")


def _with_retry_after_date(fault: Fault, _answer: Answer) -> bytes:
    now = int(time.time() + fault.skew)
    date, until = (email.utils.formatdate(when, usegmt=True) for when in (now, now + fault.seconds))
    return _message(429, _json({"detail": "Request was throttled."}), date=date, retry_after=until)


def _redirect(fault: Fault, _answer: Answer) -> bytes:
    return _message(302, b"", location=fault.location)


# No answer, or an incomplete one.
RESET_BEFORE: Final = Fault("reset_before", False, True, _no_bytes, "reset")
RESET_AFTER: Final = Fault("reset_after", True, True, _no_bytes, "reset")
CLOSE_BEFORE: Final = Fault("close_before", False, True, _no_bytes, "close")
CLOSE_AFTER: Final = Fault("close_after", True, True, _no_bytes, "close")
STALL: Final = Fault("stall", False, True, _no_bytes, "hang")
STALL_AFTER: Final = STALL.replace(name="stall_after", processed=True)
TRUNCATE: Final = Fault("truncate", True, True, _truncated, "close")
GARBAGE: Final = Fault("garbage", True, True, _garbage, "close")

# The correct answer, slowly.
DRIP: Final = Fault("drip", True, True, _correct, drips="all")
DRIP_HEADERS: Final = DRIP.replace(name="drip_headers", drips="headers")

# Errors that leave open whether the operation was carried out.
HTML_502: Final = Fault("html_502", False, True, _bad_gateway)
HTML_502_AFTER: Final = Fault("html_502_after", True, True, _bad_gateway)
STATUS_520: Final = Fault("status_520", False, True, _always(520, b""))
ERROR_500_AFTER: Final = Fault("error_500_after", True, True, _always(500, _json({"error": "Internal server error"})))
UNAVAILABLE_BARE: Final = Fault("unavailable_bare", False, True, _always(503, _json({"detail": "Unavailable."})))

# Errors after which the operation was certainly not carried out.
RATE_LIMITED: Final = Fault("rate_limited", False, False, _with_retry_after(429), seconds=1)
RATE_LIMITED_DATE: Final = Fault("rate_limited_date", False, False, _with_retry_after_date, seconds=1)
UNAVAILABLE: Final = Fault("unavailable", False, False, _with_retry_after(503))
REDIRECT: Final = Fault("redirect", False, False, _redirect)
BAD_REQUEST: Final = Fault("bad_request", False, False, _always(400, _json({"message": "Scripted refusal"})))

# A success with an invalid body.
EMPTY_SUCCESS: Final = Fault("empty_success", True, True, _with_body(b""), succeeds=True)
SHORT_JSON: Final = Fault("short_json", True, True, _cut_body, succeeds=True)
INVALID_UTF8: Final = Fault("invalid_utf8", True, True, _invalid_utf8, succeeds=True)
NAN: Final = Fault("nan", True, True, _with_values(lambda _: float("nan")), succeeds=True)
WRONG_TYPES: Final = Fault(
    "wrong_types", True, True, _with_values(lambda value: 5 if isinstance(value, str) else "wrong"), succeeds=True
)
DEEP: Final = Fault("deep", True, True, _with_body(b"[" * 100_000 + b"]" * 100_000), succeeds=True)

ALL_FAULTS: Final = tuple(each for each in globals().values() if isinstance(each, Fault))
"""All faults, in the order above."""

IMMEDIATE: Final = tuple(
    each for each in ALL_FAULTS if each.then != "hang" and each.drips == "nothing" and not each.seconds
)
"""The faults without delay: no stall, no drip and no Retry-After above 0."""


# ---- scripts ---------------------------------------------------------------------------------------------------------

Script: TypeAlias = Callable[[ReceivedRequest], Fault | None]
"""Returns the fault of a request, or None. Called on the server's event loop, once per request; must not block."""


def no_faults(_request: ReceivedRequest) -> None:
    """Answer every request correctly."""


def once(*faults: Fault | None, operation: Operation = "create") -> Script:
    """Return a script with these faults for the next requests of this operation, in order; None means no fault."""
    remaining = iter(faults)
    return lambda request: next(remaining, None) if request.operation == operation else None


def at_random(
    rate: float,
    seed: int,
    weights: Mapping[Fault, float] | None = None,
    *,
    operations: frozenset[Operation] | set[Operation] | None = None,
) -> Script:
    """Return a script that gives this share of the requests (of these operations) a fault, drawn by weight.

    Without `weights`, all faults of IMMEDIATE are equally likely. The fault of the nth request depends only on the
    seed, but which request is the nth depends on the clients.
    """
    draw = random.Random(seed)
    chosen = dict.fromkeys(IMMEDIATE, 1.0) if weights is None else weights
    population, bounds = list(chosen), list(itertools.accumulate(chosen.values()))

    def script(request: ReceivedRequest) -> Fault | None:
        if operations is not None and request.operation not in operations:
            return None
        return draw.choices(population, cum_weights=bounds)[0] if draw.random() < rate else None

    return script


# ---- results ---------------------------------------------------------------------------------------------------------


def canonical(body: Any) -> str:
    """Return the body of a create as canonical JSON, which is the key of `creates_by_body`."""
    return json.dumps(body, sort_keys=True)


def user_of(filters: Any) -> str | None:
    """Return the first user_id in the filters, at any depth; if it has operators, the first operand."""
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
    """Return the default result of an export: the user, and a number that depends only on the user."""
    user = user_of(body.get("filters"))
    return {"user": user, "n": zlib.crc32((user or "").encode())}


# ---- the server ------------------------------------------------------------------------------------------------------


def _bound_socket(port: int) -> socket.socket:
    """Return a socket bound to this loopback port (0: a free one) that does not listen, so it refuses connections."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN; unsent data is lost."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class FaultServer:
    """A context manager that serves the operations of openapi.yaml on 127.0.0.1 and a free port.

    A create stores a job. Its result is `result_of(body)`; the first `polls_until_ready` processed polls get a 404. It
    may be a function of the body of the create. A wrong key gets a 401, without a call of the script.

    `on_connect` is called with the number of each accepted connection, from 1. If it returns true, the connection is
    reset before anything is read: nothing is processed, and no request is counted. The client mostly gets the error of
    RESET_BEFORE, ECONNRESET while it waits for the answer, which leaves open what happened. Sometimes, and often on a
    busy machine, its send or even its connect fails with the same error. In httpx that is a ReadError, a
    RemoteProtocolError (after a failed send, which httpx ignores) or a ConnectError.
    """

    def __init__(
        self,
        *,
        key: str = "key",
        polls_until_ready: int | Callable[[Any], int] = 2,
        result_of: Callable[[Any], dict[str, Any]] = result_of,
        script: Script = no_faults,
        on_connect: Callable[[int], bool] | None = None,
    ) -> None:
        self.key = key
        self.polls_until_ready = polls_until_ready
        self.result_of = result_of
        self.script = script
        self.on_connect = on_connect

        self.port = 0
        self.jobs: dict[str, Any] = {}
        """The bodies of the processed creates, by job id."""
        self.created: list[str] = []
        self.creates_by_body: Counter[str] = Counter()
        """The number of processed creates, by `canonical(body)`."""
        self.polls: Counter[str] = Counter()
        """The number of processed polls, by job id."""
        self.adds = 0
        self.deletes = 0
        self.requests: Counter[Operation] = Counter()
        self.answered: Counter[tuple[Operation, int | None]] = Counter()
        """The number of answers by operation and status; None if the client gets no status."""
        self.faults: Counter[str] = Counter()
        """The number of faults by name."""
        self.ambiguous_creates = 0
        """Creates whose outcome the client cannot know."""
        self.orphaned_jobs = 0
        """The ambiguous creates that were processed: each made a job whose id the client does not know."""
        self.seen_headers: Mapping[str, str] = {}
        """The headers of the last request."""
        self.connections = 0
        self.connections_reset = 0
        """Connections reset because of `on_connect`."""
        self.errors: list[Exception] = []
        """Exceptions of a script or of `result_of`, and errors of requests that are not HTTP."""

        self._is_open = False
        self._conversations: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    # -- start and stop

    def __enter__(self) -> Self:
        self._socket = _bound_socket(0)
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
        """Stop listening and close all connections, but keep the port, so that no other process gets it."""
        self._is_open = False
        self._loop.remove_reader(self._socket)
        for _ in range(5):  # asyncio leaks connections that are being accepted while its server is closed
            await asyncio.sleep(0)
        self._listener.close()
        self._socket = _bound_socket(self.port)
        conversations = dict(self._conversations)
        for task, writer in conversations.items():
            writer.transport.abort()
            task.cancel()
        if conversations:
            await asyncio.wait(conversations)
        await asyncio.sleep(0)

    @contextlib.contextmanager
    def refuse_connections(self) -> Iterator[None]:
        """Close all connections, and refuse new ones for as long as the context lasts.

        Call it in the thread of the test, also if that runs an event loop; not in a script.
        """
        self._run_on_loop(self._close())
        try:
            yield
        finally:
            self._run_on_loop(self._open())

    def _run_on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    # -- connections

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_open:  # accepted just before the server was closed
            _reset(writer)
            return
        self.connections += 1
        if self.on_connect is not None:
            try:
                refused = self.on_connect(self.connections)
            except Exception as error:  # noqa: BLE001 -- raised again at the end of the context
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
        except Exception as error:  # noqa: BLE001 -- raised again at the end of the context
            self.errors.append(error)
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection stays open for another one."""
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head[:-4].decode("latin-1").split("\r\n")
        method, target, _version = line.split(" ")
        headers = {name.lower(): text.strip() for name, _, text in (field.partition(":") for field in fields)}
        length = int(headers.get("content-length", 0))
        content = await reader.readexactly(length) if length else b""

        operation, fault, text = self._handle(method, target.partition("?")[0], headers, content)
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
        """Send all but the last part byte by byte, and return that part; ConnectionError if the client disconnects."""
        end = text.index(b"\r\n\r\n") + 4 if fault.drips == "headers" else len(text) - 1
        for position in range(end):
            writer.write(text[position : position + 1])
            await asyncio.sleep(fault.interval)
            if reader.at_eof() or writer.is_closing():
                raise ConnectionError
        self._count_ambiguous(operation, fault, -1)
        return text[end:]

    # -- requests

    def _handle(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes
    ) -> tuple[Operation, Fault | None, bytes]:
        """Carry out and count a request; return its operation, its fault and the bytes to send."""
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
            fault = self.script(ReceivedRequest(operation, self.requests[operation], body, headers))
            answer = self._answer(operation, body, fault)
        if fault is None:
            self.answered[operation, answer.status] += 1
            return operation, None, _message(answer.status, _json(answer.value))
        text = fault.response(fault, answer)
        self.faults[fault.name] += 1
        self.answered[operation, int(text[9:12]) if text.startswith(b"HTTP/1.1 ") else None] += 1
        self._count_ambiguous(operation, fault, 1)
        return operation, fault, text

    def _refusal(self, operation: Operation, headers: Mapping[str, str]) -> Answer | None:
        if operation == "unknown":
            return Answer(404, {"detail": "Not found."})
        if headers.get("authorization") != f"Token {self.key}":
            return Answer(401, {"detail": "Invalid API key."})
        return None

    def _count_ambiguous(self, operation: Operation, fault: Fault, change: int) -> None:
        if operation == "create" and fault.ambiguous:
            self.ambiguous_creates += change
            if fault.processed:
                self.orphaned_jobs += change

    def _answer(self, operation: Operation, body: Any, fault: Fault | None) -> Answer:
        """Return the correct answer. The operation changes the state only if the fault is `processed`."""
        processed = fault is None or fault.processed
        if operation == "ping":
            return Answer(200, _PING)
        if operation == "entities":
            return Answer(200, _ENTITIES)
        if operation == "get_memory":
            return Answer(200, _MEMORIES["results"][0])
        if operation == "delete":
            self.deletes += processed
            return Answer(200, {"message": "Memory deleted successfully!"})
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
                self.creates_by_body[canonical(body)] += 1
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
