"""Where session documents are kept: in Redis, or in the memory of this process."""

from collections.abc import Callable
from typing import Protocol

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

STORAGE_ERRORS = (RedisError, OSError)
"""What a storage raises when it cannot be reached."""

CONNECTIONS = 50


class Storage(Protocol):
    """Values with a time to live, in seconds, and one index of names."""

    async def ping(self) -> None:
        """Raise one of STORAGE_ERRORS if the storage cannot be reached."""

    async def close(self) -> None:
        """Give up connections."""

    async def exists(self, key: str) -> bool:
        """Whether a value is there."""

    async def get(self, key: str) -> str | None:
        """The value."""

    async def set_with_ttl(self, key: str, ttl: int, value: str) -> None:
        """Write the value and start its time to live."""

    async def expire(self, key: str, ttl: int) -> None:
        """Restart the time to live; the value stays as it is."""

    async def delete(self, key: str) -> bool:
        """Remove the value; whether it was there."""

    async def index_add(self, name: str) -> None:
        """Put a name into the index."""

    async def index_remove(self, name: str) -> None:
        """Take a name out of the index."""

    async def index_size(self) -> int:
        """The number of names in the index."""


def connect(url: str) -> "Redis":
    """A client for the URL; raise ValueError if its scheme is not redis, rediss or unix.

    As in KATO, no command has a time limit: one sent to a Redis that hangs waits for ever.
    A refused connection fails at once, and the next command tries to connect again.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=None,
        decode_responses=True,
        socket_timeout=None,
        socket_connect_timeout=None,
        # Repeats only cover connections that died while they were idle in the pool.
        retry=Retry(NoBackoff(), 3),
        retry_on_error=[RedisConnectionError],
    )
    return Redis(connection_pool=pool)


class RedisStorage:
    """Session documents in Redis, shared by all processes."""

    def __init__(self, client: "Redis", index_key: str) -> None:
        self.client = client
        self._index_key = index_key

    async def ping(self) -> None:
        """See Storage."""
        await self.client.ping()

    async def close(self) -> None:
        """See Storage."""
        await self.client.aclose()

    async def exists(self, key: str) -> bool:
        """See Storage."""
        return bool(await self.client.exists(key))

    async def get(self, key: str) -> str | None:
        """See Storage."""
        value = await self.client.get(key)
        return value.decode() if isinstance(value, bytes) else value

    async def set_with_ttl(self, key: str, ttl: int, value: str) -> None:
        """See Storage."""
        await self.client.set(key, value, ex=ttl)

    async def expire(self, key: str, ttl: int) -> None:
        """See Storage."""
        await self.client.expire(key, ttl)

    async def delete(self, key: str) -> bool:
        """See Storage."""
        return bool(await self.client.delete(key))

    async def index_add(self, name: str) -> None:
        """See Storage."""
        await self.client.sadd(self._index_key, name)

    async def index_remove(self, name: str) -> None:
        """See Storage."""
        await self.client.srem(self._index_key, name)

    async def index_size(self) -> int:
        """See Storage."""
        return await self.client.scard(self._index_key)


class MemoryStorage:
    """Session documents that no other process sees; KATO's choice when REDIS_URL is not set."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._values: dict[str, tuple[str, float]] = {}
        self._index: set[str] = set()

    async def ping(self) -> None:
        """See Storage."""

    async def close(self) -> None:
        """See Storage."""

    async def exists(self, key: str) -> bool:
        """See Storage."""
        return await self.get(key) is not None

    async def get(self, key: str) -> str | None:
        """See Storage."""
        value, expires = self._values.get(key, ("", 0.0))
        if self._clock() < expires:
            return value
        self._values.pop(key, None)
        return None

    async def set_with_ttl(self, key: str, ttl: int, value: str) -> None:
        """See Storage."""
        if ttl <= 0:
            raise ValueError("invalid expire time")
        self._values[key] = (value, self._clock() + ttl)

    async def expire(self, key: str, ttl: int) -> None:
        """See Storage."""
        value = await self.get(key)
        if value is not None:
            self._values[key] = (value, self._clock() + ttl)

    async def delete(self, key: str) -> bool:
        """See Storage."""
        there = await self.exists(key)
        self._values.pop(key, None)
        return there

    async def index_add(self, name: str) -> None:
        """See Storage."""
        self._index.add(name)

    async def index_remove(self, name: str) -> None:
        """See Storage."""
        self._index.discard(name)

    async def index_size(self) -> int:
        """See Storage."""
        return len(self._index)
