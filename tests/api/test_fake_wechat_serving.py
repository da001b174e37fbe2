"""The fake as a process: it says where it serves, stops when told, and names a taken port."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from api.fake_wechat import serve

ROOT = Path(__file__).parents[2]


@contextmanager
def served(port: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", f"from api.fake_wechat import serve; serve(port={port})"]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_fake_serves_until_interrupted() -> None:
    with served(0) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = process.stdout.readline().split()
        assert said[:2] == ["fake", "WeChat:"]

        answer = httpx.post(f"{said[2]}/_fake/login", json={"openid": "o"}, trust_env=False)
        process.send_signal(signal.SIGINT)

        assert set(answer.json()) == {"code"}
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""


def test_taken_port_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(SystemExit) as end:
            serve(port=port)

    assert end.value.code == 1
    assert capsys.readouterr().err == (
        f"fake WeChat: cannot serve on 127.0.0.1:{port}: another program uses this port\n"
    )
