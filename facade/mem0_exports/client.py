"""`Client` and `AsyncClient`. Their constructors do not use the network.

with Client() as client:                        # MEM0_API_KEY
    profile = client.exports.run(Profile, F.user_id == "alex", timeout=60)

with Client.local("memories.db") as client:     # no key, no server, no network: the embedded engine
    ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from mem0_exports.client_parts import engine_of, local_transport, no_pickle, prepare, repr_of
from mem0_exports.config import Config, changed
from mem0_exports.exports.api import Exports
from mem0_exports.exports.api_async import AsyncExports
from mem0_exports.http import operations
from mem0_exports.http.flow import send
from mem0_exports.http.settings import MAX_RESPONSE_BYTES, PollSchedule, Retry, Settings
from mem0_exports.memories import AsyncEntities, AsyncMemories, Entities, Memories


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from mem0_exports.client_parts import LocalTransport
    from mem0_exports.exports.spec import Origin
    from mem0_exports.filters.rules import FilterRules
    from mem0_exports.http.driver import AsyncDriver, Driver
    from mem0_exports.http.network_driver import AsyncTransport, Transport
    from mem0_exports.llm import LLM
    from mem0_exports.local_engine import EngineTransport, LocalEngine
    from mem0_exports.models import Account


REQUEST_TIMEOUT: Final = 30.0
"""The default timeout of one request, in seconds."""

_SCHEDULE: Final = PollSchedule()
_LOCAL_SCHEDULE: Final = PollSchedule(initial_interval=0.005, factor=1.5, max_interval=0.5)


def _use_engine(
    client: Client | AsyncClient,
    driver_of: Callable[[Mapping[str, str], LocalTransport], Any],
    transport: LocalTransport,
    timeout: float,
    retry: Retry | None,
    max_response_bytes: int,
    filter_rules: FilterRules | None,
) -> None:
    """Set up a client, which has no attributes yet, for an embedded engine."""
    from mem0_exports.http.in_process import ADDRESS  # noqa: PLC0415 -- others need httpx instead

    policy = Retry() if retry is None else retry
    config = Config("local", ADDRESS, timeout, policy, max_response_bytes, is_local=True)
    driver = driver_of(config.headers, transport)
    settings = config.settings(driver, _LOCAL_SCHEDULE)
    client._use(driver, settings, config.origin(transport.origin), filter_rules, local=transport)


class Client:
    """A client for Mem0's memory exports. Safe to share between threads; close it or use it in a `with` block.

    with Client() as client:  # reads MEM0_API_KEY
        profile = client.exports.run(Profile, F.user_id == "alex", timeout=60)
        for memory in client.memories.list(F.user_id == "alex"):
            print(memory.memory)
    """

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
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        filter_rules: FilterRules | None = None,
        transport: Transport | None = None,
    ) -> None:
        """Configure a client. Nothing is sent.

        Args:
            api_key: the API key. Default: the environment variable MEM0_API_KEY.
            base_url: the address of the service. Default: MEM0_BASE_URL, then the Mem0 Platform.
            timeout: seconds that one request may take, from connecting to the last byte of the answer. Default: 30.
            retry: how often and how soon to repeat requests. Default: `Retry()`.
            max_response_bytes: the most bytes of an answer, counted after decompression. Default: 512 MiB.
            filter_rules: how to read filters where the Platform's documentation is silent. Default: `FilterRules()`.
            transport: your own httpx transport, for a proxy or a test.

        Raises:
            ConfigurationError: there is no key, or an argument cannot be used.

        """
        from mem0_exports.http.network_driver import NetworkDriver  # noqa: PLC0415 -- loads httpx

        config = Config(api_key, base_url, timeout, Retry() if retry is None else retry, max_response_bytes)
        driver = NetworkDriver(config.base_url, config.headers, transport)
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
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        filter_rules: FilterRules | None = None,
        project: str = "local",
        llm: LLM | None = None,
    ) -> Self:
        """Return a client of the embedded engine: no key, no server, no network. Needs the extra `mem0-exports[local]`.

            with Client.local("memories.db") as client:
                client.memories.add("Alex lives in Lisbon.", user_id="alex")

        Args:
            path: the SQLite file that holds memories and jobs. By default they are only in memory.
            timeout: seconds that one request may take. Default: 30.
            retry: how often and how soon to repeat requests. Default: `Retry()`.
            max_response_bytes: the most bytes of an answer, counted after decompression. Default: 512 MiB.
            filter_rules: how to read filters where the Platform's documentation is silent. Default: `FilterRules()`.
            project: the project whose memories and exports the client sees, if the store has several.
            llm: a language model that reads values out of the texts of memories. Default: none; values come from metadata,
                and nothing is sent anywhere.

        """
        from mem0_exports.http.in_process import LocalDriver  # noqa: PLC0415 -- others need httpx instead

        client = cls.__new__(cls)
        transport = local_transport(path, filter_rules, project, llm)
        _use_engine(client, LocalDriver, transport, timeout, retry, max_response_bytes, filter_rules)
        return client

    @classmethod
    def oss(
        cls,
        source: object,
        *,
        collection: str | None = None,
        timeout: float = REQUEST_TIMEOUT,
        retry: Retry | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        filter_rules: FilterRules | None = None,
        llm: LLM | None = None,
    ) -> Self:
        """Return a client of the memories of open-source Mem0, as they are now. Needs the extra `mem0-exports[local]`.

            with Client.oss("/tmp/qdrant") as client:
                profile = client.exports.run(Profile, F.user_id == "alex")

        The first request copies the memories into the memory of this process; `client.engine.pull(source)` copies what
        has changed since. The source is only read. No key is needed, nor a language model or an embedder.

        Args:
            source: the folder of Qdrant, Chroma or FAISS (`path` in the configuration of Mem0), `postgresql://...` for
                pgvector, or a `mem0.Memory` or `mem0.AsyncMemory`, whatever store it uses.
            collection: the name of Mem0's collection. Default: "mem0". A `Memory` knows its own.
            timeout: seconds that one request may take. Default: 30.
            retry: how often and how soon to repeat requests. Default: `Retry()`.
            max_response_bytes: the most bytes of an answer, counted after decompression. Default: 512 MiB.
            filter_rules: how to read filters where the Platform's documentation is silent. Default: `FilterRules()`.
            llm: a language model that reads values out of the texts of memories. Default: none.

        Raises InputError if `source` is none of these. The first request raises it if the source cannot be read.

        """
        from mem0_exports.http.in_process import LocalDriver  # noqa: PLC0415 -- others need httpx instead

        client = cls.__new__(cls)
        transport = local_transport(":memory:", filter_rules, "local", llm, source, collection)
        _use_engine(client, LocalDriver, transport, timeout, retry, max_response_bytes, filter_rules)
        return client

    def with_options(
        self, *, timeout: float | None = None, retry: Retry | None = None, max_response_bytes: int | None = None
    ) -> Self:
        """Return a client with another timeout, retry policy or limit, which uses the same connections.

        Closing the new client leaves the connections open. Closing this client closes them for both clients.
        """
        client = type(self).__new__(type(self))
        settings = changed(self._settings, timeout, retry, max_response_bytes)
        client._use(self._driver, settings, self._origin, self._filter_rules, local=self._local, owns_driver=False)
        return client

    @property
    def engine(self) -> LocalEngine:
        """The embedded engine of a client made with `local`. It imports memories and reports what an export left empty.

        Raises ConfigurationError for any other client.
        """
        return engine_of(self._local)

    def ping(self, *, timeout: float | None = None, retry: Retry | None = None) -> Account:
        """Check the API key and return the account it belongs to.

        `timeout` limits the whole call in seconds, retries included. Without it, only each single request has a limit.
        """
        call, settings = operations.ping(), self._settings.with_retry(retry)
        return self._driver.run(send(call.request, call.read, settings, deadline=settings.deadline(timeout)))

    def close(self) -> None:
        """Close the connections and, for a client made with `local`, the embedded engine."""
        if self._owns_driver:
            self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr_of(self)

    def __reduce__(self) -> NoReturn:
        no_pickle(self)


class AsyncClient:
    """The async version of `Client`, for asyncio and trio. `exports.run_many` needs asyncio.

    async with AsyncClient() as client:
        profile = await client.exports.run(Profile, F.user_id == "alex", timeout=60)
    """

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
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        filter_rules: FilterRules | None = None,
        transport: AsyncTransport | None = None,
    ) -> None:
        """Configure a client. Nothing is sent. Arguments and errors are those of `Client`."""
        from mem0_exports.http.network_driver import AsyncNetworkDriver  # noqa: PLC0415 -- loads httpx

        config = Config(api_key, base_url, timeout, Retry() if retry is None else retry, max_response_bytes)
        driver = AsyncNetworkDriver(config.base_url, config.headers, transport)
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
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        filter_rules: FilterRules | None = None,
        project: str = "local",
        llm: LLM | None = None,
    ) -> Self:
        """Return a client of the embedded engine, as `Client.local` does. The engine never runs on the event loop."""
        from mem0_exports.http.in_process import AsyncLocalDriver  # noqa: PLC0415 -- others need httpx instead

        client = cls.__new__(cls)
        transport = local_transport(path, filter_rules, project, llm)
        _use_engine(client, AsyncLocalDriver, transport, timeout, retry, max_response_bytes, filter_rules)
        return client

    @classmethod
    def oss(
        cls,
        source: object,
        *,
        collection: str | None = None,
        timeout: float = REQUEST_TIMEOUT,
        retry: Retry | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        filter_rules: FilterRules | None = None,
        llm: LLM | None = None,
    ) -> Self:
        """Return a client of the memories of open-source Mem0, as `Client.oss` does. They are read in a thread."""
        from mem0_exports.http.in_process import AsyncLocalDriver  # noqa: PLC0415 -- others need httpx instead

        client = cls.__new__(cls)
        transport = local_transport(":memory:", filter_rules, "local", llm, source, collection)
        _use_engine(client, AsyncLocalDriver, transport, timeout, retry, max_response_bytes, filter_rules)
        return client

    def with_options(
        self, *, timeout: float | None = None, retry: Retry | None = None, max_response_bytes: int | None = None
    ) -> Self:
        """Return a client with another timeout, retry policy or limit, which uses the same connections.

        Closing the new client leaves the connections open. Closing this client closes them for both clients.
        """
        client = type(self).__new__(type(self))
        settings = changed(self._settings, timeout, retry, max_response_bytes)
        client._use(self._driver, settings, self._origin, self._filter_rules, local=self._local, owns_driver=False)
        return client

    @property
    def engine(self) -> LocalEngine:
        """The embedded engine of a client made with `local`. It imports memories and reports what an export left empty.

        Raises ConfigurationError for any other client.
        """
        return engine_of(self._local)

    async def ping(self, *, timeout: float | None = None, retry: Retry | None = None) -> Account:
        """Check the API key and return the account it belongs to.

        `timeout` limits the whole call in seconds, retries included. Without it, only each single request has a limit.
        """
        call, settings = operations.ping(), self._settings.with_retry(retry)
        return await self._driver.run(send(call.request, call.read, settings, deadline=settings.deadline(timeout)))

    async def close(self) -> None:
        """Close the connections and, for a client made with `local`, the embedded engine."""
        if self._owns_driver:
            await self._driver.close()

    async def __aenter__(self) -> Self:
        """Import the modules that the first request needs in a thread, so that it does not block the event loop."""
        import anyio.to_thread  # noqa: PLC0415 -- httpx depends on it; only the async side needs it

        await anyio.to_thread.run_sync(prepare)
        if self._local is None:  # the embedded engine needs no TLS
            from mem0_exports.http.network import shared_ssl_context  # noqa: PLC0415 -- loads httpx

            await anyio.to_thread.run_sync(shared_ssl_context)
        self._driver.prepare()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return repr_of(self)

    def __reduce__(self) -> NoReturn:
        no_pickle(self)
