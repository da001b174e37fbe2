"""Fresh, migrated databases: each engine is migrated once, each test gets a copy."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from functools import cached_property
from itertools import count
from pathlib import Path

from tests.servers.apart import run_apart
from tests.servers.postgres import Postgres


class SqliteDatabases:
    """Copies of one migrated file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fresh(self, folder: Path) -> str:
        """The URL of a fresh database in a file of the given folder."""
        copy = folder / f"jifen-{secrets.token_hex(4)}.db"
        shutil.copyfile(self._template, copy)
        return f"sqlite://{copy}"

    @cached_property
    def _template(self) -> Path:
        template = self._folder / f"template-{secrets.token_hex(4)}.db"
        run_apart(lambda: _migrate(f"sqlite://{template}"))
        leftovers = [path.name for path in self._folder.glob(f"{template.name}-*")]
        assert not leftovers, f"closing the database left {leftovers}: a copy would lack them"
        return template


class PostgresDatabases:
    """Copies of one migrated database of a server."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._run = secrets.token_hex(4)
        self._numbers = count(1)
        self._ended: list[str] = []
        """Databases whose tests are over: dropped with the next statement, so by one connection."""

    @contextlib.contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of a fresh database, which is dropped later, whoever still uses it."""
        name = f"jifen_test_{self._run}_{next(self._numbers)}"
        # Copying files takes a third of the time of the default, which logs each of their pages.
        self._run_after_drops(
            f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY FILE_COPY"
        )
        try:
            yield self._server.url(name)
        finally:
            self._ended.append(name)

    def close(self) -> None:
        """Drop what is left, the template last."""
        if "_template" in vars(self):
            self._ended.append(self._template)
        self._run_after_drops()

    @cached_property
    def _template(self) -> str:
        name = f"jifen_template_{self._run}"
        self._server.run(f"CREATE DATABASE {name}")
        try:
            run_apart(lambda: _migrate(self._server.url(name)))
        except BaseException:
            self._ended.append(name)
            raise
        return name

    def _run_after_drops(self, *statements: str) -> None:
        drops = [f"DROP DATABASE {name} WITH (FORCE)" for name in self._ended]
        self._server.run(*drops, *statements)
        self._ended.clear()


async def _migrate(url: str) -> None:
    from domain import storage

    await storage.connect(url, pool=storage.UNHURRIED)
    try:
        await storage.migrate()
    finally:
        await storage.close()
