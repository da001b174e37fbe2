"""The servers that clients are tried on, and the running of the clients."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import jwt
import orjson
import pytest

from domain.access import AccessTokens, CallerKind, KeyRing
from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.run.production import production, seed_for_production
from tests.run.running import MakeRun
from tests.servers import PostgresDatabases, Redis

FOLDER: Final = Path(__file__).parent
MODULES: Final = FOLDER / "node_modules"
CLIENT_SECONDS_MAX: Final = 90


@dataclass(frozen=True, slots=True)
class Server:
    """A gateway that runs, and the people of its demo programme."""

    mode: str
    run: MakeRun
    demo: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """What the client scripts are told of it."""
        return {
            "GRAPHQL_URL": f"{self.run.url}/graphql",
            "MEMBER_TOKEN": self.demo["memberToken"],
            "MEMBER_ID": self.demo["memberIds"][0],
            "SHOP_TOKEN": self.demo["shopToken"],
            "PARTNER_TOKEN": self.demo["partnerToken"],
            "STAFF_TOKEN": self.demo["staffToken"],
        }

    def short_token(self, *, seconds: int) -> str:
        """A token of the demo's member that expires soon, from the server's own keys."""
        claims = jwt.decode(self.demo["memberToken"], options={"verify_signature": False})
        now = datetime.now(UTC)
        keys = KeyRing(self.run.folder / "var" / "keys.json", now=now)
        token, _ = AccessTokens(keys, claims["iss"]).issue(
            CallerKind.MEMBER,
            UUID(claims["sub"]),
            now=now,
            session_id=UUID(claims["sid"]),
            ttl=timedelta(seconds=seconds),
        )
        return token


@dataclass(frozen=True, slots=True)
class Seeded:
    """A database with the demo programme in it, for servers in production mode."""

    folder: Path
    demo: dict[str, Any]
    database_url: str
    redis_url: str

    def serve(self, **environment: str) -> MakeRun:
        """A production server over it."""
        return production(
            self.folder, database_url=self.database_url, redis_url=self.redis_url, **environment
        )


@dataclass(frozen=True, slots=True)
class Clients:
    """Runs other people's programs and notes how they fared, one line each."""

    node: str
    report: ClosingReport

    def script(self, name: str, server: Server, **environment: str) -> Any:
        """What a script of `clients/` tells on its standard output, which is JSON."""
        told = self.run(
            self.node,
            FOLDER / "clients" / f"{name}.mjs",
            cwd=FOLDER,
            **(server.environment | environment),
        )
        return orjson.loads(told)

    def run(self, *command: str | Path, cwd: Path, **environment: str) -> str:
        """The standard output of a program that succeeds."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env={"PATH": os.environ.get("PATH", os.defpath), "NO_COLOR": "1"} | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CLIENT_SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def tool(self, name: str) -> Path:
        """A program that an installed package brings."""
        return MODULES / ".bin" / name

    def note(self, client: str, mode: str, result: str) -> None:
        """One line of the summary that is printed at the end."""
        self.report.conformance.append(f"{client:<36} {mode:<22} {result}")


@pytest.fixture(scope="session")
def clients(report: ClosingReport) -> Clients:
    """Node.js with the packages of the lock file."""
    node = shutil.which("node")
    if node is None or not MODULES.is_dir():
        part_is_missing(report, "npm", "no Node.js, or its packages are not installed here")
    found = Clients(node=node, report=report)
    version = found.run(node, "--version", cwd=FOLDER).strip()
    report.parts["npm"] = f"Node.js {version}, packages as locked"
    return found


@pytest.fixture(scope="session")
def development(
    tmp_path_factory: pytest.TempPathFactory, report: ClosingReport
) -> Iterator[Server]:
    """`make run`, on SQLite."""
    run = MakeRun(tmp_path_factory.mktemp("development"))
    try:
        run.until_ready()
        report.parts["sqlite"] = "the database of `make run`"
        yield Server(mode="development", run=run, demo=run.demo())
    finally:
        run.close()


@pytest.fixture(scope="session")
def seeded(
    tmp_path_factory: pytest.TempPathFactory,
    _postgres_databases: PostgresDatabases | str,
    _redis_server: Redis,
    report: ClosingReport,
) -> Iterator[Seeded]:
    """What production servers run over, on real servers: they take no others."""
    if isinstance(_postgres_databases, str):
        part_is_missing(report, "postgresql", _postgres_databases)
    if not _redis_server.real:
        part_is_missing(report, "redis", _redis_server.origin)
    report.parts["redis"] = f"{_redis_server.version} from {_redis_server.origin}"
    _redis_server.empty()
    folder = tmp_path_factory.mktemp("production")
    with _postgres_databases.fresh() as database_url:
        demo = seed_for_production(folder, database_url)
        yield Seeded(folder, demo, database_url=database_url, redis_url=_redis_server.url)


@pytest.fixture(scope="session")
def serve(seeded: Seeded) -> Iterator[Callable[..., Server]]:
    """Starts production servers over the same data, with settings of their own."""
    runs: list[MakeRun] = []

    def serve(**environment: str) -> Server:
        run = seeded.serve(**environment)
        runs.append(run)
        run.until_ready()
        return Server(mode="production", run=run, demo=seeded.demo)

    yield serve
    for run in runs:
        run.close()


@pytest.fixture(scope="session")
def closed(serve: Callable[..., Server]) -> Server:
    """A production server as it is where nothing more is set."""
    return serve()


def assert_all_passed(
    clients: Clients, results: list[dict[str, Any]], *, client: str, mode: str, names: set[str]
) -> None:
    """Every check of a script was run and passed; notes it as one line."""
    failed = [f"{one['name']}: {one['detail']}" for one in results if not one["passed"]]
    clients.note(client, mode, f"{len(results) - len(failed)} of {len(names)} checks passed")
    assert not failed, "\n".join(failed)
    assert {one["name"] for one in results} == names
