"""Test answers without an end, or that grow when they are decompressed, against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socketserver
import threading
import zlib

import pytest

from mem0_exports import (
    AsyncClient,
    Client,
    ConfigurationError,
    ContractViolation,
    F,
    Forbidden,
    InputError,
    ResponseTooLarge,
    Retry,
)
from tests.support.timeouts import scaled


LIMIT = 100_000
ID = "0b0d8d62-7d2c-4f5e-9c5a-3b2d3a6f0c11"
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}


class Service(socketserver.ThreadingTCPServer):
    """Accepts an export, and answers each poll with `head` and `pieces`, which may be endless."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.head = ""
        self.status = "200 OK"
        self.pieces = lambda: iter(())
        self.create_is_large = False
        self.polls = 0
        self.sent = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while line := self.rfile.readline():
                length = 0
                while (header := self.rfile.readline().strip()) != b"":
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                self.rfile.read(length)
                self.answer(line.split()[1])

    def answer(self, path: bytes) -> None:
        if path == b"/v1/exports/" and not self.server.create_is_large:
            body = json.dumps({"message": "accepted", "id": ID}).encode()
            self.wfile.write(b"HTTP/1.1 201 Created\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            return
        self.server.polls += 1
        self.wfile.write(
            f"HTTP/1.1 {self.server.status}\r\ntransfer-encoding: chunked\r\n{self.server.head}\r\n".encode()
        )
        for piece in self.server.pieces():
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.server.sent += len(piece)
        self.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def service():
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def zeros(compressor, megabytes=200):
    for _ in range(megabytes):
        if piece := compressor.compress(bytes(1_000_000)):
            yield piece
    yield compressor.flush()


def endless():
    while True:
        yield b" " * 10_000


TOO_LARGE = {
    "endless": ("", endless),
    "gzip": ("content-encoding: gzip\r\n", lambda: zeros(zlib.compressobj(wbits=31))),
    "deflate": ("content-encoding: Deflate\r\n", lambda: zeros(zlib.compressobj())),
    "one byte too much": ("", lambda: iter([b'"' + b"x" * (LIMIT - 1) + b'"'])),
}


def export(kind, url, **options):
    """Run an export with a client of this kind."""
    if kind == "sync":
        with Client("m0-key", base_url=url, **options) as client:
            return client.exports.run(SCHEMA, F.user_id == "a", timeout=scaled(30))

    async def run():
        async with AsyncClient("m0-key", base_url=url, **options) as client:
            return await client.exports.run(SCHEMA, F.user_id == "a", timeout=scaled(30))

    return asyncio.run(run())


@pytest.mark.parametrize("name", TOO_LARGE)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_reading_stops_at_the_limit_and_the_id_is_kept(service, kind, name):
    service.head, service.pieces = TOO_LARGE[name]

    with pytest.raises(ResponseTooLarge, match=r"more than 100,000 bytes \(max_response_bytes\)") as caught:
        export(kind, service.url, max_response_bytes=LIMIT)

    assert caught.value.export_id == ID
    assert (caught.value.limit, caught.value.status, caught.value.outcome_unknown) == (LIMIT, 200, False)
    assert service.polls == 1, "it is not repeated: the answer would be as large again"


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_answer_of_exactly_the_limit_is_read(service, kind):
    body = json.dumps({"text": "x" * 1000}).encode()
    service.head, service.pieces = "content-encoding: gzip\r\n", lambda: iter([gzip.compress(body)])

    assert export(kind, service.url, max_response_bytes=len(body)) == {"text": "x" * 1000}


def test_a_call_can_have_a_limit_of_its_own(service):
    body = json.dumps({"text": "x" * 1000}).encode()
    service.pieces = lambda: iter([body])
    with Client("m0-key", base_url=service.url, max_response_bytes=200) as client:
        where, timeout = F.user_id == "a", scaled(30)
        with pytest.raises(ResponseTooLarge) as caught:
            client.exports.run(SCHEMA, where, timeout=timeout)
        job = client.exports.get(caught.value.export_id, SCHEMA)

        assert job.result(timeout, max_response_bytes=2000) == {"text": "x" * 1000}
        assert client.exports.run(SCHEMA, where, timeout=timeout, max_response_bytes=2000) == {"text": "x" * 1000}
        larger = client.with_options(max_response_bytes=2000)
        assert larger.exports.get(ID, SCHEMA).result(timeout) == {"text": "x" * 1000}
        with pytest.raises(InputError, match="max_response_bytes must be an integer of at least 1, got 0"):
            job.result(max_response_bytes=0)


def test_a_create_whose_answer_is_too_large_may_have_made_a_job(service):
    service.create_is_large, service.pieces = True, endless
    with pytest.raises(ResponseTooLarge) as caught:
        export("sync", service.url, max_response_bytes=LIMIT, retry=Retry(attempts=5, initial_delay=0))

    assert caught.value.outcome_unknown
    assert service.polls == 1


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
def test_an_encoding_that_was_not_asked_for_is_refused(service, encoding):
    """One piece of it could grow to gigabytes."""
    service.head, service.pieces = f"content-encoding: {encoding}\r\n", endless

    with pytest.raises(ContractViolation, match="only gzip and deflate were accepted") as caught:
        export("sync", service.url)
    assert caught.value.export_id == ID


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_error_status_is_one_whatever_its_encoding(service, kind):
    """Such as the error page of a proxy."""
    service.status, service.head, service.pieces = "403 Forbidden", "content-encoding: br\r\n", endless

    with pytest.raises(Forbidden) as caught:
        export(kind, service.url)
    assert caught.value.export_id == ID


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "1"])
def test_refuses_a_limit_that_is_no_positive_integer(limit):
    with pytest.raises(ConfigurationError, match="max_response_bytes must be an integer of at least 1"):
        Client("m0-key", max_response_bytes=limit)
    with Client.local() as client, pytest.raises(ConfigurationError, match="max_response_bytes"):
        client.with_options(max_response_bytes=limit)


def test_the_embedded_engine_has_the_same_limit():
    with Client.local() as client:
        client.memories.add("x" * 500, user_id="a")
        with pytest.raises(ResponseTooLarge):
            list(client.with_options(max_response_bytes=300).memories.list(F.user_id == "a"))
    with Client.local(max_response_bytes=300) as client, pytest.raises(ResponseTooLarge):
        client.memories.add("x" * 500, user_id="a")
