"""Tests talk to this machine only: any other connection is refused before it is tried."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

_ORIGINALS: dict[str, Callable[..., Any]] = {
    name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")
}


class OutsideConnection(RuntimeError):
    """A test tried to reach another machine. Not an OSError: no retry of ours may swallow it."""


def block_outside(*, allowed_hosts: frozenset[str] = frozenset()) -> None:
    """Refuse connections of this process to anything but loopback, Unix sockets, allowed hosts."""
    allowed = {
        str(info[4][0]) for host in allowed_hosts for info in socket.getaddrinfo(host, None)
    } | allowed_hosts

    def guarded(name: str) -> Callable[..., Any]:
        original = _ORIGINALS[name]

        def guard(self: socket.socket, *arguments: Any) -> Any:
            # The address is the last argument of each: sendto has the payload before it.
            refuse_outside(self, arguments[-1], allowed)
            return original(self, *arguments)

        return guard

    for name in _ORIGINALS:
        setattr(socket.socket, name, guarded(name))


def unblock() -> None:
    """Put the original methods back."""
    for name, original in _ORIGINALS.items():
        setattr(socket.socket, name, original)


def refuse_outside(
    connection: socket.socket, address: Any, allowed: frozenset[str] | set[str]
) -> None:
    """Raise `OutsideConnection` unless the address is on this machine or an allowed host's."""
    if connection.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    host = str(address[0])
    if host == "localhost" or host in allowed or _is_loopback(host):
        return
    raise OutsideConnection(f"a test tried to connect to {host!r}: only this machine is allowed")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
