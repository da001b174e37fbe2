"""A server process that never outlives the tests, in a folder of its own, without root's rights."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

_PREFIX = "jifen-test-"
_OWNER = "owner.pid"
_BASES = ("/tmp", "/var/tmp", "/dev/shm")
_MEMORY = "/dev/shm"
_MEMORY_FREE_MIN = 2 * 1024**3
_STOP_SECONDS = 30
_START_ATTEMPTS = 3

T = TypeVar("T")

_GUARD = """
exec 3<&0
"$@" 3<&- </dev/null &
child=$!
( cat <&3 >/dev/null; kill -s "$STOP_SIGNAL" "$child" ) 2>/dev/null &
watch=$!
exec 3<&-
echo "$child" > child.new && mv child.new child.pid
wait "$child"
status=$?
kill "$watch"
exit "$status"
"""
"""Runs a command until our end of its standard input closes, which the kernel does even when the
tests are killed. Signals of the terminal do not reach it: it has a session of its own."""


class CouldNotStart(RuntimeError):
    """A server did not come up; says why, with the end of its log."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user that servers run as: ourselves, or when we are root an unprivileged one."""

    uid: int | None
    gid: int | None
    """None where nothing is to change."""

    @classmethod
    def choose(cls, *preferred: str) -> Account:
        """Ourselves unless root; else the first of the preferred users, then `nobody`."""
        if os.geteuid() != 0:
            return cls(uid=None, gid=None)
        for name in (*preferred, "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(uid=entry.pw_uid, gid=entry.pw_gid)
        raise CouldNotStart("root may not run servers, and there is no user `nobody`")

    @property
    def extra_groups(self) -> list[int] | None:
        """No group of root's is kept."""
        return None if self.uid is None else []

    def run(self, *command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a command to its end as this user; captures its output, raises for no status."""
        return subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=_environment(cwd),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
            user=self.uid,
            group=self.gid,
            extra_groups=self.extra_groups,
        )

    def own(self, path: Path) -> None:
        """Hand a path over to this user."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def make_folder(self, purpose: str, *, in_memory: bool = False) -> Path:
        """A new private folder of this user's, on the first base that this user can enter.

        `in_memory` prefers one that no disk slows down, where the machine has room for it: copying
        a database of 600 files takes 0.04 s there, and 0.5 s on a disk.
        """
        memory = (_MEMORY,) if in_memory and _has_room(_MEMORY) else ()
        for base in (*memory, tempfile.gettempdir(), *_BASES):
            if not os.path.isdir(base):
                continue
            folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-", dir=base)).resolve()
            (folder / _OWNER).write_text(str(os.getpid()))
            self.own(folder)
            with contextlib.suppress(PermissionError):
                if self.run("test", "-w", ".", cwd=folder).returncode == 0:
                    return folder
            shutil.rmtree(folder)
        raise CouldNotStart(f"no temporary folder that the user {self.uid} can enter")


class GuardedProcess:
    """One server process; `stop` ends it in order, `kill` as a crash would."""

    def __init__(
        self, *command: str | Path, account: Account, folder: Path, stop_signal: signal.Signals
    ) -> None:
        self._folder = folder
        self._stop_signal = stop_signal
        pid_file = folder / "child.pid"
        pid_file.unlink(missing_ok=True)
        with (folder / "log").open("ab") as log:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "sh", *[str(part) for part in command]],
                cwd=folder,
                env=_environment(folder) | {"STOP_SIGNAL": stop_signal.name.removeprefix("SIG")},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=account.uid,
                group=account.gid,
                extra_groups=account.extra_groups,
            )
        deadline = Deadline(_STOP_SECONDS)
        while not pid_file.exists():
            if not (self.alive and deadline.pause()):
                self._guard.kill()
                self._reap()
                raise self.failure("the process was not started")
        self.pid = int(pid_file.read_text())
        """The server's own process id."""

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._guard.poll() is None

    def await_answer(
        self, ask: Callable[[], T], *, seconds: float, not_yet: tuple[type[Exception], ...]
    ) -> T:
        """What the server answers, asked until it no longer raises what means "not yet".

        The process is ended, and `CouldNotStart` or the unexpected error raised, when it does not.
        """
        deadline = Deadline(seconds)
        try:
            while self.alive and deadline.pause():
                with contextlib.suppress(*not_yet):
                    return ask()
            raise self.failure("the server does not answer")
        except BaseException:
            self.stop()
            raise

    def failure(self, what: str) -> CouldNotStart:
        """The error that tells why the server is not there."""
        log = (self._folder / "log").read_text(errors="replace").strip().splitlines()
        return CouldNotStart(f"{what}: " + " / ".join(log[-5:]))

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        self._signal(signal.SIGKILL)
        self._reap()

    def stop(self) -> None:
        """End the server in order; kill it when it takes longer than half a minute."""
        self._signal(self._stop_signal)
        try:
            self._reap()
        except subprocess.TimeoutExpired:
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _reap(self) -> None:
        self._guard.wait(_STOP_SECONDS)
        assert self._guard.stdin is not None
        self._guard.stdin.close()


def on_free_port(start: Callable[[int], T]) -> T:
    """Start a server on a loopback port that was free a moment ago; another one if it was taken."""
    for _ in range(_START_ATTEMPTS - 1):
        with contextlib.suppress(CouldNotStart):
            return start(_free_port())
    return start(_free_port())


def sweep() -> None:
    """Remove the folders of earlier runs that were killed; their servers ended with them."""
    for base in {tempfile.gettempdir(), *_BASES}:
        for owner in Path(base).glob(f"{_PREFIX}*/{_OWNER}"):
            with contextlib.suppress(OSError, ValueError):
                if not _runs(int(owner.read_text())):
                    shutil.rmtree(owner.parent)


class Deadline:
    """A bound on polling a foreign process that offers nothing to wait on."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def pause(self) -> bool:
        """Rest for a moment; False when the time is over."""
        time.sleep(0.02)
        return time.monotonic() < self._end


def _has_room(base: str) -> bool:
    return os.path.isdir(base) and shutil.disk_usage(base).free >= _MEMORY_FREE_MIN


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join((os.environ.get("PATH", ""), os.defpath))
    return {"PATH": path, "HOME": str(folder), "LC_ALL": "C", "TZ": "UTC"}
