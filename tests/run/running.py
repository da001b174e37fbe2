"""One `python -m api.cli run` in a folder of its own, on ports of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from tests.repository.tree import ROOT

READY_SECONDS_MAX: Final = 60
_STOP_SECONDS_MAX: Final = 20
_MAKE_RUN: Final = ("-m", "api.cli", "run")


def free_ports() -> tuple[int, int]:
    """Two loopback ports that were free a moment ago."""
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, and all that it said."""

    status: int
    output: str
    errors: str


class MakeRun:
    """What `make run` starts, told more by the environment.

    Its data is in `var` of the folder, as in a checkout.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ports: tuple[int, int] | None = None,
        command: Sequence[str] = _MAKE_RUN,
        **environment: str,
    ) -> None:
        self.folder = folder
        self.port, self.fake_port = ports or free_ports()
        self.url = f"http://127.0.0.1:{self.port}"
        self.fake_url = f"http://127.0.0.1:{self.fake_port}"
        self._output, self._errors = folder / "output", folder / "errors"
        own = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "PORT": str(self.port),
            "FAKE_WECHAT_PORT": str(self.fake_port),
            "COLUMNS": "200",
            "LC_ALL": "C.UTF-8",
        }
        self._started = time.monotonic()
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env=own | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )

    @property
    def demo_file(self) -> Path:
        """Where the demo's tokens and ids are."""
        return self.folder / "var" / "demo.json"

    @property
    def database(self) -> Path:
        """The database that it makes where no other one is named."""
        return self.folder / "var" / "jifen.db"

    @property
    def output(self) -> str:
        """All that it printed so far."""
        return self._output.read_text()

    @property
    def errors(self) -> str:
        """All that it said on its standard error so far, logs among it."""
        return self._errors.read_text()

    def demo(self) -> dict[str, Any]:
        """What `var/demo.json` says."""
        content: dict[str, Any] = orjson.loads(self.demo_file.read_bytes())
        return content

    def until_ready(self) -> float:
        """Wait for `/readyz` to answer 200; returns the seconds since the process was started."""
        with httpx.Client(base_url=self.url, trust_env=False) as http:
            while True:
                try:
                    if http.get("/readyz").status_code == 200:
                        return time.monotonic() - self._started
                except httpx.TransportError:
                    pass
                self.assert_under_way()

    def assert_under_way(self) -> None:
        """Rest for a moment; fail when the process has ended, or should be further by now."""
        time.sleep(0.02)
        assert self.process.poll() is None, self._errors.read_text()
        assert time.monotonic() - self._started < READY_SECONDS_MAX, self._errors.read_text()

    def assert_ends_cleanly(self) -> None:
        """Interrupt it, and see that nothing was wrong."""
        ended = self.interrupt()
        assert ended.status == 0
        assert "Traceback" not in ended.output + ended.errors
        assert "[error" not in ended.errors, ended.errors
        assert "[warning" not in ended.errors, ended.errors

    @property
    def processor_s(self) -> float:
        """The processor time that the process has used so far, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def interrupt(self) -> Ended:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def kill(self) -> None:
        """As a crash would, or a power cut."""
        self.process.kill()
        self.process.wait(_STOP_SECONDS_MAX)

    def ended(self) -> Ended:
        """Wait for its end."""
        status = self.process.wait(_STOP_SECONDS_MAX)
        return Ended(status, self._output.read_text(), self._errors.read_text())

    def close(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.kill()
