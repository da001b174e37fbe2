"""A durable PostgreSQL for benchmarks, and its own load generator, pgbench."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.servers import CouldNotStart, OwnPostgres, PostgresDatabases, find_binaries

_RATE: Final = re.compile(r"tps = ([\d.]+) \(without initial connection time\)")
_FAILED: Final = re.compile(r"number of failed transactions: (\d+)")


class Server:
    """The cluster of one run: settings of production, data on the disk of temporary files."""

    def __init__(self, postgres: OwnPostgres, pgbench: Path) -> None:
        self._postgres, self._pgbench = postgres, pgbench
        self.databases = PostgresDatabases(postgres)
        self.version = postgres.version
        self._numbers = count(1)

    @property
    def pid(self) -> int:
        """The server's process, below which all others of it are."""
        return self._postgres.process.pid

    @contextmanager
    def copy(self, url: str) -> Iterator[str]:
        """The URL of a copy of a database that nobody is connected to, for the time of a block."""
        source = urlsplit(url).path.removeprefix("/")
        name = f"{source}_copy_{next(self._numbers)}"
        self._postgres.run(f"CREATE DATABASE {name} TEMPLATE {source}")
        try:
            yield self._postgres.url(name)
        finally:
            self._postgres.run(f"DROP DATABASE {name} WITH (FORCE)")

    async def pgbench(
        self, url: str, script: str, *, clients: int, seconds: float = 0, prepared: bool = True
    ) -> float:
        """Run a script's transaction for some seconds, or once where 0; transactions per second."""
        parts = urlsplit(url)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "script.sql"
            file.write_text(script)
            process = await asyncio.create_subprocess_exec(
                str(self._pgbench),
                *("--no-vacuum", "--client", str(clients), "--jobs", "1", "--file", str(file)),
                *("--protocol", "prepared" if prepared else "simple"),
                *(("--time", str(int(seconds))) if seconds else ("--transactions", "1")),
                *("--host", str(parts.hostname), "--port", str(parts.port)),
                *("--username", str(parts.username), parts.path.removeprefix("/")),
                env={"PGPASSWORD": str(parts.password), "LC_ALL": "C"},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = (text.decode() for text in await process.communicate())
        rate, failed = _RATE.search(out), _FAILED.search(out)
        assert process.returncode == 0, err
        assert rate is not None, out
        assert failed is None or int(failed[1]) == 0, out + err
        return float(rate[1])


@contextmanager
def serving() -> Iterator[Server]:
    """A server for the time of a block."""
    for binaries in find_binaries():
        pgbench = binaries.folder / "pgbench"
        if not pgbench.is_file():
            continue
        with contextlib.suppress(CouldNotStart):
            postgres = OwnPostgres(binaries, durable=True)
            break
    else:
        sys.exit("This benchmark needs PostgreSQL with pgbench: install postgresql")
    with contextlib.closing(postgres):
        server = Server(postgres, pgbench)
        with contextlib.closing(server.databases):
            yield server


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[None]:
    """This process connected to a database as a gateway's is."""
    from domain import storage

    await storage.connect(url)
    try:
        yield
    finally:
        await storage.close()
