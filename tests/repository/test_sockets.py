"""The guard on sockets: this machine is reachable from tests, every other one is not."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.sockets import OutsideConnection, refuse_outside

# An address reserved for documentation: no packet to it can reach anybody.
OUTSIDE = ("192.0.2.1", 80)


@pytest.fixture
def listener() -> Iterator[tuple[str, int]]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()


@pytest.mark.parametrize("address", [OUTSIDE, ("example.com", 80), ("10.0.0.1", 80)])
@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_connections_to_other_machines_are_refused(address: tuple[str, int], method: str) -> None:
    with socket.socket() as connection, pytest.raises(OutsideConnection, match=address[0]):
        getattr(connection, method)(address)


def test_datagrams_to_other_machines_are_refused() -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as connection,
        pytest.raises(OutsideConnection),
    ):
        connection.sendto(b"hello", OUTSIDE)


def test_loopback_and_unix_sockets_are_open(listener: tuple[str, int]) -> None:
    with socket.create_connection(listener):
        pass
    # A short path of its own: that of a Unix socket may not exceed 107 bytes.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        path = str(Path(folder) / "socket")
        server.bind(path)
        server.listen()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)


async def test_asynchronous_clients_are_guarded_too(listener: tuple[str, int]) -> None:
    _, writer = await asyncio.open_connection(*listener)
    writer.close()
    await writer.wait_closed()
    with pytest.raises(OutsideConnection):
        await asyncio.open_connection(*OUTSIDE)
    async with httpx.AsyncClient() as client:
        with pytest.RaisesGroup(OutsideConnection):
            await client.get("http://192.0.2.1/")


def test_a_host_that_the_environment_names_is_allowed() -> None:
    """Asks the rule only: nothing is sent to that host."""
    with socket.socket() as connection:
        refuse_outside(connection, OUTSIDE, frozenset({OUTSIDE[0]}))
        with pytest.raises(OutsideConnection):
            refuse_outside(connection, ("192.0.2.2", 80), frozenset({OUTSIDE[0]}))
