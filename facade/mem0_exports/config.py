"""The configuration of a client: from its arguments, the environment, and defaults."""

from __future__ import annotations

import hashlib
import os
import sys

from typing import TYPE_CHECKING, Final

from mem0_exports._version import __version__
from mem0_exports.api_key import usable_key
from mem0_exports.errors import ConfigurationError, InputError
from mem0_exports.exports.spec import Origin
from mem0_exports.http.settings import Holding, Settings, check_max_response_bytes, check_retry, check_timeout


if TYPE_CHECKING:
    from mem0_exports.http.driver import AsyncDriver, Driver
    from mem0_exports.http.settings import PollSchedule, Retry


PLATFORM: Final = "https://api.mem0.ai"
"""The base URL of the hosted service."""


class Config:
    """The configuration of a client. A value is the argument, or else the environment variable, or else the default."""

    def __init__(
        self,
        api_key: str | None,
        base_url: str | None,
        timeout: float,
        retry: Retry,
        max_response_bytes: int,
        *,
        is_local: bool = False,
    ) -> None:
        key = os.environ.get("MEM0_API_KEY") if api_key is None else api_key
        if key is None:
            raise ConfigurationError(
                "no API key: pass api_key=..., or set MEM0_API_KEY (and MEM0_BASE_URL if you run your own service). "
                "To work without a key, use the embedded engine: Client.local()"
            )
        url = os.environ.get("MEM0_BASE_URL", PLATFORM) if base_url is None else base_url
        self.base_url = url if is_local else _checked_url(url)
        self._limits = _checked(timeout, retry, max_response_bytes)
        version = ".".join(map(str, sys.version_info[:2]))
        self.headers = {
            "authorization": f"Token {usable_key(key)}",
            "accept": "application/json",
            "accept-encoding": "gzip, deflate",  # see `connection.Body`
            "user-agent": f"mem0-exports/{__version__} python/{version}",
        }

    def settings(self, driver: Driver | AsyncDriver, schedule: PollSchedule) -> Settings:
        """Return the settings that all calls of the client share."""
        timeout, retry, max_response_bytes = self._limits
        return Settings(
            timeout, schedule, driver.clock, retry, max_response_bytes=max_response_bytes, holding=Holding()
        )

    def origin(self, service: str | None = None) -> Origin:
        """Return the service (or the embedded engine's store) and the account that the client works with.

        The account is identified by part of a hash of the key, so that a ledger can tell accounts apart without a key.
        """
        account = hashlib.sha256(f"{self.base_url} {self.headers['authorization']}".encode()).hexdigest()[:16]
        return Origin(self.base_url if service is None else service, account)


def _checked_url(url: str) -> str:
    from mem0_exports.http.network import checked_base_url  # noqa: PLC0415 -- loads httpx, which a local client needs not

    return checked_base_url(url)


def changed(settings: Settings, timeout: float | None, retry: Retry | None, max_response_bytes: int | None) -> Settings:
    """Return the settings with those of the arguments that are not None. Raises ConfigurationError if one is invalid."""
    new_timeout, new_retry, new_limit = _checked(
        settings.timeout if timeout is None else timeout,
        settings.retry if retry is None else retry,
        settings.max_response_bytes if max_response_bytes is None else max_response_bytes,
    )
    return settings._replace(timeout=new_timeout, retry=new_retry, max_response_bytes=new_limit)


def _checked(timeout: float, retry: Retry, max_response_bytes: int) -> tuple[float, Retry, int]:
    """Return the arguments, or raise ConfigurationError if one is invalid.

    Calls raise InputError for the same mistake. In the constructor of a client, it is a mistake in the configuration.
    """
    try:
        return check_timeout(timeout), check_retry(retry), check_max_response_bytes(max_response_bytes)
    except InputError as error:
        problem = str(error)
    raise ConfigurationError(problem)
