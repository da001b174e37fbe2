"""Redis for tests: the one that TEST_REDIS_URL names, a `redis-server` of our own, or fakeredis."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from typing import Protocol

import redis as redis_client

from tests.servers.guarded import Account, CouldNotStart, GuardedProcess, on_free_port

_START_SECONDS = 10


class Redis(Protocol):
    """A Redis whose one database the tests may empty."""

    url: str
    version: str
    origin: str
    real: bool

    def empty(self) -> None:
        """Remove every key."""

    def close(self) -> None:
        """End what was started here."""


def open_redis() -> Redis:
    """The Redis of this test run: TEST_REDIS_URL, else `redis-server` on PATH, else the fake."""
    if url := os.environ.get("TEST_REDIS_URL"):
        return ExternalRedis(url)
    if executable := shutil.which("redis-server"):
        return OwnRedis(executable)
    return FakeRedis()


class ExternalRedis:
    """The database named by TEST_REDIS_URL; tests empty it, so it must hold nothing of worth."""

    real = True
    origin = "TEST_REDIS_URL"

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self.version = _version(url)
        except redis_client.RedisError as failure:
            raise CouldNotStart(f"TEST_REDIS_URL does not answer: {failure}") from failure

    def empty(self) -> None:
        """Remove every key of the database."""
        _empty(self.url)

    def close(self) -> None:
        """Nothing to end: it is not ours."""


class OwnRedis:
    """A `redis-server` on a loopback port that keeps nothing on disk."""

    real = True
    origin = "PATH"

    def __init__(self, executable: str) -> None:
        self._executable = executable
        self._account = Account.choose("redis")
        self.folder = self._account.make_folder("redis")
        self._password = secrets.token_hex(16)
        try:
            self.version = on_free_port(self._start)
        except BaseException:
            shutil.rmtree(self.folder)
            raise

    def stop(self) -> None:
        """End it; what it held is lost."""
        self.process.stop()

    def start_again(self) -> None:
        """Start it where it was, empty; returns once it answers."""
        self._start(self._port)

    def freeze(self) -> None:
        """Stop it without ending it: connections stay open, and nothing is answered."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.process.pid, signal.SIGCONT)

    def _start(self, port: int) -> str:
        self._port = port
        self.url = f"redis://:{self._password}@127.0.0.1:{port}/0"
        self.process = GuardedProcess(
            self._executable,
            *("--bind", "127.0.0.1", "--port", str(port), "--requirepass", self._password),
            *("--save", "", "--appendonly", "no", "--dir", str(self.folder)),
            account=self._account,
            folder=self.folder,
            stop_signal=signal.SIGTERM,
        )
        return self.process.await_answer(
            lambda: _version(self.url),
            seconds=_START_SECONDS,
            not_yet=(redis_client.ConnectionError, redis_client.BusyLoadingError),
        )

    def empty(self) -> None:
        """Remove every key."""
        _empty(self.url)

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.process.stop()
        shutil.rmtree(self.folder)


class FakeRedis:
    """The embedded default, `memory://`: each connection pool that the product opens is its own."""

    real = False
    origin = "no redis-server on PATH"
    url = "memory://"
    version = "fakeredis"

    def empty(self) -> None:
        """Nothing is kept between tests."""

    def close(self) -> None:
        """Nothing to end."""


def _version(url: str) -> str:
    with redis_client.Redis.from_url(url, socket_timeout=5) as client:
        return str(client.info("server")["redis_version"])


def _empty(url: str) -> None:
    with redis_client.Redis.from_url(url, socket_timeout=5) as client:
        client.flushdb()
