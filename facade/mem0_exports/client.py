"""The clients: configuration, and what a user calls. Neither constructor touches the network.

with Client() as client:                        # MEM0_API_KEY
    profile = client.exports.run(Profile, F.user_id == "alex", timeout=60)

with Client.local("memories.db") as client:     # no key, no server, no network: the embedded engine
    ...
"""

from __future__ import annotations

import hashlib
import os
import sys

from typing import TYPE_CHECKING, Final, NoReturn, Self

from mem0_exports._version import __version__
from mem0_exports.api_key import usable_key
from mem0_exports.errors import ConfigurationError, InputError
from mem0_exports.exports.api import Exports
from mem0_exports.exports.api_async import AsyncExports
from mem0_exports.exports.spec import Origin
from mem0_exports.http import operations
from mem0_exports.http.connection import checked_base_url, shared_ssl_context
from mem0_exports.http.driver import AsyncDriver, AsyncTransport, Driver, Transport
from mem0_exports.http.flow import send
from mem0_exports.http.settings import PollSchedule, Retry, Settings, check_retry, check_timeout
from mem0_exports.memories import AsyncEntities, AsyncMemories, Entities, Memories


if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from mem0_exports.filters.rules import FilterRules
    from mem0_exports.local_engine import EngineTransport, LocalEngine
    from mem0_exports.models import Account


PLATFORM: Final = "https://api.mem0.ai"
"""The base URL of the hosted service."""

REQUEST_TIMEOUT: Final = 30.0
"""Seconds for one request where nothing else is said."""

_LOCAL_ADDRESS: Final = "http://embedded.invalid"  # never resolved: the embedded engine is no server
_SCHEDULE: Final = PollSchedule()
_LOCAL_SCHEDULE: Final = PollSchedule(initial_interval=0.005, factor=1.5, max_interval=0.5)


class _Config:
    """Configuration that both clients share, decided once: argument, then environment, then default."""

    def __init__(
        self,
        api_key: str | None,
        base_url: str | None,
        timeout: float,
        retry: Retry | None,
    ) -> None:
        key = os.environ.get("MEM0_API_KEY") if api_key is None else api_key
        if key is None:
            raise ConfigurationError(
                "no API key: pass api_key=..., or set MEM0_API_KEY (and MEM0_BASE_URL for a service of your own). "
                "Without a key, Client.local() runs the embedded engine"
            )
        url = os.environ.get("MEM0_BASE_URL") if base_url is None else base_url
        self.base_url = checked_base_url(PLATFORM if url is None else url)
        self.timeout, self.retry = _checked(timeout, Retry() if retry is None else retry)
        version = ".".join(map(str, sys.version_info[:2]))
        self.headers = {
            "authorization": f"Token {usable_key(key)}",
            "accept": "application/json",
            "user-agent": f"mem0-exports/{__version__} python/{version}",
        }

    def settings(self, driver: Driver | AsyncDriver, schedule: PollSchedule) -> Settings:
        """Return what the calls of the client share."""
        return Settings(self.timeout, schedule, driver.clock, self.retry)

    def origin(self, service: str | None = None) -> Origin:
        """Return whom the client asks: the service at `base_url`, or a store. No key can be read out of it."""
        account = hashlib.sha256(f"{self.base_url} {self.headers['authorization']}".encode()).hexdigest()[:16]
        return Origin(self.base_url if service is None else service, account)


def _checked(timeout: float, retry: Retry) -> tuple[float, Retry]:
    try:
        return check_timeout(timeout), check_retry(retry)
    except InputError as error:
        problem = str(error)
    raise ConfigurationError(problem)


def _no_pickle(client: Client | AsyncClient) -> NoReturn:
    raise TypeError(f"a {type(client).__name__} holds open connections and cannot be pickled; make one in each process")


class Client:
    """Gets memories out of Mem0, and waits for it. Safe to share between threads."""

    exports: Exports
    memories: Memories
    entities: Entities

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = REQUEST_TIMEOUT,
        retry: Retry | None = None,
        filter_rules: FilterRules | None = None,
        transport: Transport | None = None,
    ) -> None:
        """Configure a client; nothing is sent.

        Args:
            api_key: the key; MEM0_API_KEY if missing.
            base_url: where the service is; MEM0_BASE_URL, then the Mem0 Platform, if missing.
            timeout: seconds that one request may take, from connecting to the last byte of the answer.
            retry: how often and how soon requests are repeated; `Retry()` if missing.
            filter_rules: how filters are read where the service's documentation is silent.
            transport: an httpx transport of your own, for a proxy or a test.

        Raises:
            ConfigurationError: no key was found, or one of these cannot be used.

        """
        config = _Config(api_key, base_url, timeout, retry)
        driver = Driver(config.base_url, config.headers, transport)
        self._use(driver, config.settings(driver, _SCHEDULE), config.origin(), filter_rules)

    def _use(
        self,
        driver: Driver,
        settings: Settings,
        origin: Origin,
        filter_rules: FilterRules | None,
        *,
        local: EngineTransport | None = None,
        owns_driver: bool = True,
    ) -> None:
        self._driver = driver
        self._settings = settings
        self._origin = origin
        self._filter_rules = filter_rules
        self._local = local
        self._owns_driver = owns_driver
        self.exports = Exports(driver, settings, origin=origin, filter_rules=filter_rules)
        self.memories = Memories(driver, settings, filter_rules)
        self.entities = Entities(driver, settings)

    @classmethod
    def local(
        cls,
        path: str | Path = ":memory:",
        *,
        timeout: float = REQUEST_TIMEOUT,
        retry: Retry | None = None,
        filter_rules: FilterRules | None = None,
        project: str = "local",
    ) -> Self:
        """A client of the embedded engine, which keeps its memories and jobs in the SQLite file `path`.

        No key, no server, no network. The default keeps everything in memory, until the client is closed. `project`
        is whose memories and exports it sees, where a store has those of several. Needs the extra
        `mem0-exports[local]`.
        """
        from mem0_exports_engine.transport import LocalTransport  # noqa: PLC0415 -- an extra

        client = cls.__new__(cls)
        config = _Config("local", _LOCAL_ADDRESS, timeout, retry)
        transport = LocalTransport(path, filter_rules, project)
        driver = Driver(config.base_url, config.headers, transport)
        settings = config.settings(driver, _LOCAL_SCHEDULE)
        client._use(driver, settings, config.origin(transport.origin), filter_rules, local=transport)
        return client

    def with_options(self, *, timeout: float | None = None, retry: Retry | None = None) -> Self:
        """The same client with another timeout or retry policy, over the same connections.

        They stay open when the new one is closed: they belong to this one.
        """
        new_timeout, new_retry = _checked(
            self._settings.timeout if timeout is None else timeout, self._settings.retry if retry is None else retry
        )
        client = type(self).__new__(type(self))
        settings = self._settings._replace(timeout=new_timeout, retry=new_retry)
        client._use(self._driver, settings, self._origin, self._filter_rules, local=self._local, owns_driver=False)
        return client

    @property
    def engine(self) -> LocalEngine:
        """The embedded engine behind a client made with `local`: imports, and reports on what exports left empty."""
        return _engine(self._local)

    def ping(self, *, timeout: float | None = None, retry: Retry | None = None) -> Account:
        """Check the key; returns whose it is. `timeout` in seconds for the call, repetitions included."""
        call, settings = operations.ping(), self._settings.with_retry(retry)
        return self._driver.run(send(call.request, call.read, settings, deadline=settings.deadline(timeout)))

    def close(self) -> None:
        """Close the connections, and the embedded engine where there is one."""
        if self._owns_driver:
            self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return _described(self)

    def __reduce__(self) -> NoReturn:
        _no_pickle(self)


class AsyncClient:
    """Gets memories out of Mem0, and awaits it: the names of `Client`, on asyncio or trio."""

    exports: AsyncExports
    memories: AsyncMemories
    entities: AsyncEntities

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = REQUEST_TIMEOUT,
        retry: Retry | None = None,
        filter_rules: FilterRules | None = None,
        transport: AsyncTransport | None = None,
    ) -> None:
        """Configure a client; nothing is sent. Arguments and errors as `Client`."""
        config = _Config(api_key, base_url, timeout, retry)
        driver = AsyncDriver(config.base_url, config.headers, transport)
        self._use(driver, config.settings(driver, _SCHEDULE), config.origin(), filter_rules)

    def _use(
        self,
        driver: AsyncDriver,
        settings: Settings,
        origin: Origin,
        filter_rules: FilterRules | None,
        *,
        local: EngineTransport | None = None,
        owns_driver: bool = True,
    ) -> None:
        self._driver = driver
        self._settings = settings
        self._origin = origin
        self._filter_rules = filter_rules
        self._local = local
        self._owns_driver = owns_driver
        self.exports = AsyncExports(driver, settings, origin=origin, filter_rules=filter_rules)
        self.memories = AsyncMemories(driver, settings, filter_rules)
        self.entities = AsyncEntities(driver, settings)

    @classmethod
    def local(
        cls,
        path: str | Path = ":memory:",
        *,
        timeout: float = REQUEST_TIMEOUT,
        retry: Retry | None = None,
        filter_rules: FilterRules | None = None,
        project: str = "local",
    ) -> Self:
        """A client of the embedded engine. As `Client.local`; the engine works in threads, never on the event loop."""
        from mem0_exports_engine.transport import LocalTransport  # noqa: PLC0415 -- an extra

        client = cls.__new__(cls)
        config = _Config("local", _LOCAL_ADDRESS, timeout, retry)
        transport = LocalTransport(path, filter_rules, project)
        driver = AsyncDriver(config.base_url, config.headers, transport)
        settings = config.settings(driver, _LOCAL_SCHEDULE)
        client._use(driver, settings, config.origin(transport.origin), filter_rules, local=transport)
        return client

    def with_options(self, *, timeout: float | None = None, retry: Retry | None = None) -> Self:
        """The same client with another timeout or retry policy, over the same connections.

        They stay open when the new one is closed: they belong to this one.
        """
        new_timeout, new_retry = _checked(
            self._settings.timeout if timeout is None else timeout, self._settings.retry if retry is None else retry
        )
        client = type(self).__new__(type(self))
        settings = self._settings._replace(timeout=new_timeout, retry=new_retry)
        client._use(self._driver, settings, self._origin, self._filter_rules, local=self._local, owns_driver=False)
        return client

    @property
    def engine(self) -> LocalEngine:
        """The embedded engine behind a client made with `local`: imports, and reports on what exports left empty."""
        return _engine(self._local)

    async def ping(self, *, timeout: float | None = None, retry: Retry | None = None) -> Account:
        """Check the key; returns whose it is. `timeout` in seconds for the call, repetitions included."""
        call, settings = operations.ping(), self._settings.with_retry(retry)
        return await self._driver.run(send(call.request, call.read, settings, deadline=settings.deadline(timeout)))

    async def close(self) -> None:
        """Close the connections, and the embedded engine where there is one."""
        if self._owns_driver:
            await self._driver.close()

    async def __aenter__(self) -> Self:
        """Load what the first request would load, in a thread: the event loop does not pay for it."""
        import anyio.to_thread  # noqa: PLC0415 -- httpx brings it; only the async side needs it

        await anyio.to_thread.run_sync(_prepare)
        if self._local is None:
            await anyio.to_thread.run_sync(shared_ssl_context)
        self._driver.prepare()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return _described(self)

    def __reduce__(self) -> NoReturn:
        _no_pickle(self)


def _prepare() -> None:
    """Import what the first requests of a client would import."""
    import dateutil.parser  # noqa: F401, PLC0415
    import pydantic  # noqa: F401, PLC0415

    import mem0_exports.filters.check  # noqa: F401, PLC0415

    operations.prepare()


def _engine(transport: EngineTransport | None) -> LocalEngine:
    if transport is None:
        raise ConfigurationError("only a client made with local() has an embedded engine")
    return transport.engine


def _described(client: Client | AsyncClient) -> str:
    if "_driver" not in vars(client):  # its constructor failed
        return f"{type(client).__name__}(not set up)"
    local = client._local
    place = f"base_url={client._driver.base_url!r}" if local is None else f"local, store={local.path!r}"
    return f"{type(client).__name__}({place})"
