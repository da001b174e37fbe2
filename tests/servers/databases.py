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

    @contextlib.contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of a fresh database, dropped at the end whoever still uses it."""
        name = f"jifen_test_{self._run}_{next(self._numbers)}"
        self._server.run(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        try:
            yield self._server.url(name)
        finally:
            self._drop(name)

    def close(self) -> None:
        """Drop the template."""
        if "_template" in vars(self):
            self._drop(self._template)

    @cached_property
    def _template(self) -> str:
        name = f"jifen_template_{self._run}"
        self._server.run(f"CREATE DATABASE {name}")
        try:
            run_apart(lambda: _migrate(self._server.url(name)))
        except BaseException:
            self._drop(name)
            raise
        return name

    def _drop(self, name: str) -> None:
        self._server.run(f"DROP DATABASE {name} WITH (FORCE)")


async def _migrate(url: str) -> None:
    from domain import storage

    await storage.connect(url, pool=storage.UNHURRIED)
    try:
        await storage.migrate()
    finally:
        await storage.close()
