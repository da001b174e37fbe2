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


class Databases:
    """The templates of one test run, made at first use, and the copies made of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run = secrets.token_hex(4)
        self._numbers = count(1)
        self._postgres_template: str | None = None

    def sqlite(self, folder: Path) -> str:
        """The URL of a fresh SQLite database in the given folder."""
        copy = folder / f"jifen-{next(self._numbers)}.db"
        shutil.copyfile(self._sqlite_template, copy)
        return f"sqlite://{copy}"

    @contextlib.contextmanager
    def postgres(self, server: Postgres) -> Iterator[str]:
        """The URL of a fresh database on the server, dropped at the end whoever still uses it."""
        if self._postgres_template is None:
            self._postgres_template = self._make_postgres_template(server)
        name = f"jifen_test_{self._run}_{next(self._numbers)}"
        server.run(f"CREATE DATABASE {name} TEMPLATE {self._postgres_template}")
        try:
            yield server.url(name)
        finally:
            server.run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self, server: Postgres | None) -> None:
        """Drop the server's template."""
        if server is not None and self._postgres_template is not None:
            server.run(f"DROP DATABASE {self._postgres_template} WITH (FORCE)")

    def _make_postgres_template(self, server: Postgres) -> str:
        name = f"jifen_template_{self._run}"
        server.run(f"CREATE DATABASE {name}")
        run_apart(lambda: _migrate(server.url(name)))
        return name

    @cached_property
    def _sqlite_template(self) -> Path:
        template = self._folder / "template.db"
        run_apart(lambda: _migrate(f"sqlite://{template}"))
        leftovers = [path.name for path in self._folder.glob("template.db-*")]
        assert not leftovers, f"closing the database left {leftovers}: a copy would lack them"
        return template


async def _migrate(url: str) -> None:
    from domain import storage

    await storage.connect(url)
    try:
        await storage.migrate()
    finally:
        await storage.close()
