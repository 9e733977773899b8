"""A broken network, environment or output ends with a message that says what to do, and never with a traceback."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import threading

from pathlib import Path

import pytest

from tests.contract.deployment.altered import Answer, altered
from tests.contract.deployment.running import KEY, ROOT, command_line, run, start, summary
from tests.support.serving import served
from tests.support.timeouts import scaled


NOBODY = "http://127.0.0.1:9"
"""A URL that is not used, because the run ends before."""


def message(printed):
    """Return why a run could not run, after a check of the summary line."""
    assert summary(printed)[0] == "could-not-run"
    (found,) = re.findall(r"^could not run: (.+)$", printed, flags=re.MULTILINE)
    return found


@pytest.fixture
def listening():
    """A server socket, which no process accepts from unless the test does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def address(server, scheme="http"):
    return f"{scheme}://127.0.0.1:{server.getsockname()[1]}"


@contextlib.contextmanager
def answering(server, handle):
    """Pass each connection to `handle` in a thread, until the context ends."""

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    handle(connection)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)  # wakes accept()
        server.close()
        thread.join(timeout=scaled(20))
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"NO_PROXY": "localhost,[::1]"}, "NO_PROXY contains an address in brackets: write ::1 instead of [::1]"),
        ({"no_proxy": "[::1]"}, "no_proxy contains an address in brackets"),
        ({"HTTP_PROXY": "http://name:secret@host:port"}, "HTTP_PROXY is not the address of a proxy"),
        ({"HTTPS_PROXY": "ftp://proxy"}, "HTTPS_PROXY is not the address of a proxy"),
        ({"https_proxy": "http://proxy:99999"}, "https_proxy has a port that is not between 1 and 65535"),
        ({"ALL_PROXY": "socks4://proxy:1"}, "ALL_PROXY is not the address of a proxy"),
        ({"HTTP_PROXY": "http://"}, "HTTP_PROXY is not the address of a proxy"),
        ({"SSL_CERT_FILE": "/no/such/file.pem"}, "SSL_CERT_FILE is /no/such/file.pem, which is not a file"),
        ({"SSL_CERT_FILE": __file__}, "which contains no readable certificates"),
        ({"SSL_CERT_DIR": "/no/such/folder"}, "SSL_CERT_DIR is /no/such/folder, which is not a directory"),
        ({"MEM0_API_KEY": ""}, "MEM0_API_KEY is not set: set it to the key of the deployment"),
        ({"MEM0_API_KEY": f"{KEY}\n"}, "MEM0_API_KEY contains a space or a line break: set it to the key alone"),
        ({"MEM0_API_KEY": "schlüssel"}, "MEM0_API_KEY contains characters that are not printable ASCII"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_broken_environment_is_named(listening, variables, words):
    code, printed = run(address(listening), **variables)

    assert code == 2
    assert words in message(printed)
    assert "secret" not in printed
    assert KEY not in printed
    assert summary(printed)[3] == 0


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:abc", "the URL cannot be used (Invalid port: 'abc')"),
        ("http://127.0.0.1:99999", "the port of the URL must be between 1 and 65535, got 99999"),
        ("http://127.0.0.1:0", "the port of the URL must be between 1 and 65535, got 0"),
        ("http://", "the URL has no host"),
        ("", "the URL must start with http:// or https://"),
        ("127.0.0.1:8765", "the URL must start with http:// or https://"),
        ("ftp://example.com", "the URL must start with http:// or https://"),
        ("http://exa mple.com", "the URL contains a space or a control character"),
        ("http://127.0.0.1:9/\n", "the URL contains a space or a control character"),
        ("http://name:secret@127.0.0.1:9", "must not contain a user name or a password: pass the key in MEM0_API_KEY"),
        ("http://name:secret@127.0.0.1:port", "the URL cannot be used (it cannot be parsed)"),
        ("http://127.0.0.1:9/?a=1", "the URL must not have a query or a fragment"),
        ("http://[::1", "the URL cannot be used"),
        ("http://a..example", "the URL cannot be used"),
        ("http://xn--a", "the URL cannot be used"),
    ],
    ids=repr,
)
def test_a_url_that_cannot_be_used_is_refused(capsys, url, words):
    from tests.contract.deployment import command

    assert command.main(["--url", url]) == 2

    printed = capsys.readouterr().out
    assert words in message(printed)
    assert "secret" not in printed


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--rate", "0", "--rate must be above 0"),
        ("--rate", "nan", "--rate must be above 0"),
        ("--timeout", "-1", "--timeout must be above 0"),
    ],
)
def test_a_number_that_cannot_be_used_is_refused(option, value, words):
    code, printed = run(NOBODY, option, value)

    assert code == 2
    assert words in message(printed)


def test_a_refused_connection_is_explained(listening):
    url = address(listening)
    listening.close()

    code, printed = run(url)

    assert code == 2
    assert f"from {url}: the connection was refused: start the server, or correct the host and port" in message(printed)


def test_an_unknown_host_is_explained():
    code, printed = run("http://no-such-host.invalid")

    assert code == 2
    assert "the host name is not known: correct the host in the URL" in message(printed)


def test_tls_to_a_server_without_tls_is_explained(listening):
    def plain(connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

    with answering(listening, plain):
        code, printed = run(address(listening, "https"))

    assert code == 2
    assert "if the server does not use TLS, write http:// in the URL" in message(printed)


def test_a_certificate_of_an_unknown_authority_is_explained(listening, tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def encrypted(connection):
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True):
            pass

    with answering(listening, encrypted):
        code, printed = run(address(listening, "https"))

    assert code == 2
    assert "set SSL_CERT_FILE to the certificates of its authority" in message(printed)


def test_an_answer_that_is_not_http_is_explained(listening):
    def other(connection):
        connection.recv(1000)
        connection.sendall(b"220 mail.example.com ESMTP\r\n")

    with answering(listening, other):
        code, printed = run(address(listening))

    assert code == 2
    assert "the answer is not HTTP: if the server uses TLS, write https:// in the URL" in message(printed)


def test_a_server_that_never_answers_is_explained(listening):
    code, printed = run(address(listening), "--timeout", "0.5")

    assert code == 2
    assert "no answer in time: check that the server responds, or raise --timeout" in message(printed)


def test_a_body_that_never_ends_is_given_up(listening):
    def endless(connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")

    with answering(listening, endless):
        code, printed = run(address(listening), "--timeout", "600")

    assert code == 2
    assert "was answered with more than 16777216 bytes" in message(printed)


def test_a_proxy_that_refuses_is_mentioned(listening):
    proxy = address(listening)
    listening.close()

    code, printed = run("http://example.invalid", HTTP_PROXY=proxy)

    assert code == 2
    assert "(a proxy is set in HTTP_PROXY; it may be the cause)" in message(printed)


@pytest.mark.parametrize("path", ["missing/contract.xml", "file/contract.xml", ".", "/dev/null", "x" * 300])
def test_a_junit_file_that_cannot_be_written_is_found_before_the_first_request(store, tmp_path, path):
    (tmp_path / "file").touch()
    with altered(store, KEY, lambda request, answer: answer) as (url, app):
        code, printed = run(url, "--junit", str(tmp_path / path))

    assert code == 2
    assert message(printed).startswith("--junit ")
    assert app.requests == []
    assert Path("/dev/null").is_char_device()


def test_ctrl_c_before_the_first_answer_ends_the_run(listening):
    with start(address(listening)) as process:
        connection, _ = listening.accept()
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=scaled(30))
        connection.close()

    assert process.returncode == 2, printed
    assert "Traceback" not in printed
    assert message(printed) == "it was interrupted: run it again"


def test_output_that_the_encoding_lacks_is_escaped(store):
    def differing(request, answer):
        return Answer(500, {"detail": "x"}) if b"page" in request.query.encode() else answer

    def unicode(request, answer):
        return (
            Answer(500, "größe 名前 \x1b[31m".encode()) if request.path == "/v1/ping/" else differing(request, answer)
        )

    with altered(store, KEY, unicode) as (url, _):
        code, printed = run(url, PYTHONIOENCODING="ascii")

    assert code == 1, printed
    assert r"gr\xf6\xdfe \u540d\u524d \x1b[31m" in printed


def test_a_reader_that_leaves_early_does_not_end_the_run(store, tmp_path):
    file = tmp_path / "contract.xml"
    with served(store, KEY) as url:
        done = subprocess.run(
            ["bash", "-c", '"$@" | head -1; exit "${PIPESTATUS[0]}"', "-", *command_line(url, "--junit", str(file))],
            cwd=ROOT,
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=scaled(60),
            check=False,
        )

    assert (done.returncode, done.stdout, done.stderr) == (0, "comparing a deployment with openapi.yaml\n", "")
    assert 'failures="0" errors="0"' in file.read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_cannot_be_written_is_mentioned(store):
    with served(store, KEY) as url, open("/dev/full", "w") as full:  # noqa: PTH123 -- a device
        done = subprocess.run(
            command_line(url),
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=scaled(60),
            check=False,
        )

    assert done.returncode == 0
    assert done.stderr == "standard output cannot be written: No space left on device\n"


def test_closed_output_does_not_end_the_run(store):
    with served(store, KEY) as url:
        done = subprocess.run(
            ["bash", "-c", '"$@" >&-', "-", *command_line(url)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            timeout=scaled(60),
            check=False,
        )

    assert (done.returncode, done.stderr) == (0, "")
