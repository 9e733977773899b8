"""Test that bad environment variables and addresses raise a clear error when a client is created, before anything is sent."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from mem0_exports import AsyncClient, Client, ConfigurationError, ConnectionFailed, Retry
from tests.support.blocking import blocking


KEY = "m0-key-of-some-length"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
KINDS = pytest.mark.parametrize("kind", [Client, AsyncClient])


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@KINDS
@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("HTTP_PROXY", "http://[::1", "HTTP_PROXY='http://[::1'"),
        ("https_proxy", "ftp://proxy", "https_proxy='ftp://proxy' is not a proxy that can be used: its scheme must be"),
        ("ALL_PROXY", "http://proxy:port", "ALL_PROXY='http://proxy:port'"),
        ("ALL_PROXY", "http://proxy:99999", "its port must be from 1 to 65535"),
        ("HTTP_PROXY", "http://", "it has no host"),
        (
            "ALL_PROXY",
            "socks5://proxy:1080",
            "ALL_PROXY='socks5://proxy:1080' is not a proxy that can be used: a SOCKS proxy needs",
        ),
        (
            "NO_PROXY",
            "localhost,[::1]",
            "NO_PROXY has the entry '[::1]', which is not a host; write ::1, without brackets",
        ),
        ("no_proxy", "a:b", "no_proxy has the entry 'a:b'"),
        ("SSL_CERT_FILE", "/nope.pem", "SSL_CERT_FILE='/nope.pem' has no certificates that can be loaded: [Errno 2]"),
        ("SSL_CERT_DIR", "/nope", "SSL_CERT_DIR='/nope' has no certificates that can be loaded: it is not a folder"),
    ],
)
def test_a_bad_variable_is_named_with_its_value(monkeypatch, kind, variable, value, message):
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr("mem0_exports.http.network._ssl_context", None)  # else the certificates are already loaded

    with pytest.raises(ConfigurationError) as error:
        kind(KEY)

    assert message in str(error.value)


def test_a_file_that_is_no_certificate_is_named(tmp_path, monkeypatch):
    bad = tmp_path / "ca.pem"
    bad.write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(bad))
    monkeypatch.setattr("mem0_exports.http.network._ssl_context", None)

    with pytest.raises(ConfigurationError, match=r"SSL_CERT_FILE='.*ca.pem' has no certificates"):
        Client(KEY)


def test_the_password_of_a_proxy_is_not_shown(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://alex:secret@proxy:99999")

    with pytest.raises(ConfigurationError) as error:
        Client(KEY)

    assert "secret" not in str(error.value)
    assert "http://***@proxy:99999" in str(error.value)


@KINDS
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTP_PROXY", "proxy:8080"),
        ("https_proxy", "http://alex:secret@proxy:8080"),
        ("NO_PROXY", "localhost, 127.0.0.1,::1,.example.com,10.0.0.0/8,http://x:8080,"),
        ("NO_PROXY", "*"),
        ("SSL_CERT_FILE", ""),
    ],
)
def test_usable_variables_are_accepted(monkeypatch, kind, variable, value):
    monkeypatch.setenv(variable, value)

    kind(KEY)


@KINDS
def test_ignored_variables_do_not_matter(monkeypatch, kind):
    monkeypatch.setenv("HTTP_PROXY", "ftp://bad")
    monkeypatch.setenv("NO_PROXY", "*")  # switches all proxies off

    kind(KEY)


@KINDS
@pytest.mark.parametrize("port", [0, 65536, 99999, 2**32 + 80])
def test_a_port_that_does_not_exist_is_refused(kind, port):
    with pytest.raises(ConfigurationError, match="base_url must have a port from 1 to 65535, got"):
        kind(KEY, base_url=f"http://127.0.0.1:{port}")


def test_a_connection_error_names_the_host():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    for client in (Client, AsyncClient):
        made = client(KEY, base_url=f"http://127.0.0.1:{port}", retry=Retry(attempts=1))
        with made if client is Client else blocking(made) as opened, pytest.raises(ConnectionFailed) as error:
            opened.ping()
        assert f"the connection to 127.0.0.1:{port} failed" in str(error.value)


WITH_BAD_FILE = """
import asyncio
from mem0_exports import AsyncClient, ConfigurationError
async def enter():
    async with AsyncClient("key"):
        pass
try:
    asyncio.run(enter())
except ConfigurationError as error:
    print(error)
"""


def test_a_missing_certificate_file_is_reported_before_an_async_client_is_entered():
    done = subprocess.run(
        [sys.executable, "-c", WITH_BAD_FILE],
        check=False,
        env={"SSL_CERT_FILE": "/nope.pem"},
        capture_output=True,
        text=True,
    )

    assert "SSL_CERT_FILE='/nope.pem'" in done.stdout, done.stderr
