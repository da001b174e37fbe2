"""The servers that are measured: each a process of its own, on one database, with one worker."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import orjson

from benchmarks.home.peers import statements
from benchmarks.home.peers.tokens import ISSUER as PEER_ISSUER
from benchmarks.home.peers.tokens import KEYS as PEER_JWKS
from benchmarks.processes import processor_s
from tests.faults.serving import SERVE, Serving
from tests.faults.town import ISSUER, Town
from tests.repository.tree import ROOT
from tests.run.running import free_ports

NODE: Final = ROOT / "benchmarks/home/peers/node"
READY_S_MAX: Final = 30

GATEWAY, STOCK = "gateway", "gateway, plans off"
PLAIN, BEST, MERCURIUS = "plain Starlette", "best Starlette", "Mercurius + jit"

PATIENT: Final = {
    "JIFEN_STRESS__BURST_S_MAX": "10",
    "JIFEN_STRESS__STANDING_S_MAX": "10",
    "JIFEN_STRESS__REQUEST_S_MAX": "10",
    "JIFEN_WORK__IN_PROCESS": "false",
}
"""All as shipped but for this: sixteen connections without end are refused as overload otherwise,
where the queue has stood for 20 ms. And background work has a process of its own."""

PLANS_OFF: Final = {"JIFEN_EXECUTION__PLANS": "0"}


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server that runs."""

    name: str
    port: int
    pid: int

    @property
    def processor_s(self) -> float:
        """The processor time that it and its workers have used so far."""
        return processor_s(self.pid)


@contextlib.contextmanager
def running(town: Town, folder: Path, *, redis_url: str) -> Iterator[list[Contestant]]:
    """All of them, for the time of a block. What is not installed is told and left out."""
    with contextlib.ExitStack() as stack:
        found = []
        for name, environment in ((GATEWAY, {}), (STOCK, PLANS_OFF)):
            gateway = stack.enter_context(
                gateway_of(town, folder, redis_url=redis_url, environment=environment)
            )
            found.append(Contestant(name, gateway.port, gateway.pid))
        for name, module in ((PLAIN, "plain"), (BEST, "best")):
            command = [sys.executable, "-m", f"benchmarks.home.peers.{module}"]
            found.append(stack.enter_context(peer(name, command, town, folder)))
        if node := node_command():
            found.append(stack.enter_context(peer(MERCURIUS, node, town, folder)))
        else:
            sys.stderr.write(f"{MERCURIUS} is left out: `make bench` installs it where npm is\n")
        yield found


def gateway_of(
    town: Town,
    folder: Path,
    *,
    redis_url: str,
    environment: Mapping[str, str] | None = None,
    command: tuple[str, ...] = SERVE,
) -> Serving:
    """Our gateway in production, one worker; `command` is what Python runs."""
    return Serving(
        town,
        folder,
        redis_url=redis_url,
        command=command,
        environment={**PATIENT, **(environment or {})},
    )


def node_command() -> list[str] | None:
    """How the Node server is started; None where Node or its packages are not there."""
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules/mercurius").is_dir():
        return None
    return [node, str(NODE / "server.mjs")]


@contextlib.contextmanager
def peer(name: str, command: list[str], town: Town, folder: Path) -> Iterator[Contestant]:
    """A server of the peers, for the time of a block."""
    port, _ = free_ports()
    queries = folder / "statements.json"
    queries.write_bytes(orjson.dumps(statements.BY_NAME))
    log = folder / f"peer-{port}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*command, str(port)],
            cwd=folder,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "PYTHONPATH": str(ROOT),
                "NODE_ENV": "production",
                "DATABASE_URL": town.database_url.replace("postgres://", "postgresql://"),
                "STATEMENTS": str(queries),
                PEER_ISSUER: ISSUER,
                PEER_JWKS: str(folder / "jwks.json"),
            },
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        _await_answer(process, port, log)
        yield Contestant(name, port, process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(READY_S_MAX)


def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_S_MAX
    with httpx.Client(trust_env=False, timeout=5) as http:
        while True:
            # Whatever it answers to a stranger, it answers.
            with contextlib.suppress(httpx.TransportError):
                http.get(f"http://127.0.0.1:{port}/nothing")
                return
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
