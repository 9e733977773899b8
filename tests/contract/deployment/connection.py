"""The HTTP client: made after a check of the environment, and its errors explained."""

from __future__ import annotations

import importlib.util
import os
import socket
import ssl

from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.contract.deployment.errors import CouldNotRun


PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def open_client(url: str, timeout: float) -> httpx.Client:
    """Return a client for this base URL, which follows no redirects; raise CouldNotRun if the environment is broken."""
    _check_proxies()
    _check_certificates()
    try:
        return httpx.Client(base_url=url, timeout=timeout, follow_redirects=False)
    except (httpx.InvalidURL, ValueError, ImportError, OSError) as error:
        raise CouldNotRun(
            f"the HTTP client cannot start ({type(error).__name__}): correct or unset the proxy variables "
            "(HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) and SSL_CERT_FILE"
        ) from None


def explained(error: Exception, url: str) -> str:
    """Return why there was no answer and what to do, in one or two sentences."""
    causes = list(_causes(error))

    def caused_by(*kinds: type[BaseException]) -> BaseException | None:
        return next((each for each in causes if isinstance(each, kinds)), None)

    if caused_by(ssl.SSLCertVerificationError):
        reason = "its TLS certificate cannot be verified: set SSL_CERT_FILE to the certificates of its authority"
    elif caused_by(ssl.SSLError):
        reason = "the TLS handshake failed: if the server does not use TLS, write http:// in the URL"
    elif caused_by(httpx.TimeoutException):
        reason = "no answer in time: check that the server responds, or raise --timeout"
    elif caused_by(socket.gaierror):
        reason = "the host name is not known: correct the host in the URL"
    elif caused_by(ConnectionRefusedError):
        reason = "the connection was refused: start the server, or correct the host and port in the URL"
    elif caused_by(httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
        reason = "the connection broke, or the answer is not HTTP: if the server uses TLS, write https:// in the URL"
    elif caused_by(httpx.DecodingError):
        reason = "the answer cannot be decoded: its Content-Encoding does not match its body"
    else:
        reason = f"{type(error).__name__}: check the URL and the network"
    used = [name for name in os.environ if name.upper() in PROXIES and os.environ[name]]
    hint = f" (a proxy is set in {' and '.join(sorted(used))}; it may be the cause)" if used else ""
    return f"{url}: {reason}{hint}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__ or each.__context__


def _check_proxies() -> None:
    for name, value in os.environ.items():
        if name.upper() in PROXIES and value:
            problem = _proxy_problem(value)
            if problem is not None:  # the value itself may contain a password
                raise CouldNotRun(f"{name} {problem}: set it to http://host:port, or unset it")
        if name.upper() == "NO_PROXY" and "[" in value:
            raise CouldNotRun(f"{name} contains an address in brackets: write ::1 instead of [::1]")


def _proxy_problem(value: str) -> str | None:
    try:
        url = httpx.URL(value if "://" in value else f"http://{value}")
    except (httpx.InvalidURL, ValueError):
        return "is not the address of a proxy"
    if url.scheme in {"socks5", "socks5h"}:
        return None if importlib.util.find_spec("socksio") else "is a SOCKS proxy, which is not supported here"
    if url.scheme not in {"http", "https"} or not url.host or any(each.isspace() for each in value):
        return "is not the address of a proxy"
    if url.port is not None and not 0 < url.port < 65536:
        return "has a port that is not between 1 and 65535"
    return None


def _check_certificates() -> None:
    file = os.environ.get("SSL_CERT_FILE")
    if file:
        if not Path(file).is_file():
            raise CouldNotRun(f"SSL_CERT_FILE is {file}, which is not a file: correct it, or unset it")
        try:
            ssl.create_default_context(cafile=file)
        except OSError:  # ssl.SSLError is one
            raise CouldNotRun(
                f"SSL_CERT_FILE is {file}, which contains no readable certificates: correct it, or unset it"
            ) from None
    directory = os.environ.get("SSL_CERT_DIR")
    # Several directories may be given, as in PATH; those that are missing do no harm next to one that is there.
    if directory and not any(Path(each).is_dir() for each in directory.split(os.pathsep)):
        raise CouldNotRun(f"SSL_CERT_DIR is {directory}, which is not a directory: correct it, or unset it")
