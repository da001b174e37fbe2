"""The gateway as a process of its own, served as in production or by plain uvicorn."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import httpx

from tests.faults.town import ISSUER, Town
from tests.repository.tree import ROOT
from tests.run.running import free_ports

SERVE: Final = ("-m", "api.cli", "serve")
UVICORN: Final = ("-m", "uvicorn", "gateway:app", "--no-access-log")
READY_SECONDS_MAX: Final = 60
STOP_SECONDS_MAX: Final = 30

UNLIMITED: Final = {
    f"JIFEN_RATES__{name}__{part}": "100000000"
    for name in ("MEMBER", "SHOP", "ADDRESS", "TRANSFER")
    for part in ("CAPACITY", "RESTORED_PER_MINUTE")
}
"""Loads are to meet the bounds of the process, not those of one caller."""


PATIENT: Final = {
    "JIFEN_STRESS__EXECUTING_MAX": "32",
    "JIFEN_STRESS__BURST_S_MAX": "3",
    "JIFEN_STRESS__STANDING_S_MAX": "3",
}
"""For tests that are not about overload: on a busy machine, too, all that is sent is worked on."""


class Serving:
    """A gateway of a town, for the time of a block; whatever it started ends with the block."""

    def __init__(
        self,
        town: Town,
        folder: Path,
        *,
        redis_url: str,
        command: tuple[str, ...] = SERVE,
        environment: Mapping[str, str] | None = None,
        **more_environment: str,
    ) -> None:
        self._port, _ = free_ports()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = command
        self._folder = folder
        self.log_file = folder / f"gateway-{self.port}.log"
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
            "PORT": str(self.port),
            "DATABASE_URL": town.database_url,
            "REDIS_URL": redis_url,
            "JIFEN_ENVIRONMENT": "production",
            "JIFEN_KEY_SET_PATH": str(town.keys),
            "JIFEN_ISSUER": ISSUER,
            "JIFEN_WECHAT_BASE_URL": "https://wechat.invalid",
            "JIFEN_WECHAT_APPS": '{"wx-town": "a-secret"}',
            "JIFEN_LOG_LEVEL": "info",
            **UNLIMITED,
            **(environment or {}),
            **more_environment,
        }

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def pid(self) -> int:
        """Of the process that was started: the server, or the supervisor of its workers."""
        return self._process.pid

    @property
    def processor_s(self) -> float:
        """The processor time that the process has used so far, in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self.log_file.read_text(errors="replace")

    def logged(self, event: str) -> list[str]:
        """The lines of one event so far."""
        return [line for line in self.log.splitlines() if f'"event": "{event}"' in line]

    def __enter__(self) -> Self:
        command = [sys.executable, *self._command]
        if "uvicorn" in self._command:
            command += ["--port", str(self.port)]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._await_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # The group is ours: the process has a session of its own, and so have its workers.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_SECONDS_MAX)

    def terminate(self) -> float:
        """SIGTERM; returns when (time.time)."""
        self._process.send_signal(signal.SIGTERM)
        return time.time()

    def ended(self) -> int:
        """Wait for its end; its status."""
        return self._process.wait(STOP_SECONDS_MAX)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        with httpx.Client(base_url=self.url, trust_env=False, timeout=5) as http:
            while True:
                try:
                    if http.get("/readyz").status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                assert self._process.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.02)
