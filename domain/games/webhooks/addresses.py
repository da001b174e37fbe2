"""Which addresses webhooks may go to: those that everybody reaches, and nobody's inner network."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final, TypeAlias

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, in the order in which they are to be tried; OSError where none."""

_RESOLVERS: Final = 32

# The special-purpose addresses of IPv4 (RFC 6890 and its registry), multicast and what is reserved.
_NOT_PUBLIC: Final = tuple(
    ip_network(one)
    for one in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)

# Of IPv6 only what is given out as unicast; so nothing local, and no IPv4 address in disguise:
# mapped ones, NAT64 and the like lie outside of it, Teredo and 6to4 are taken out.
_UNICAST: Final = ip_network("2000::/3")
_NOT_UNICAST: Final = tuple(
    ip_network(one) for one in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)

_threads: Final = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="webhook-names")
"""Of our own: a name server that does not answer holds up no other work of the process."""


def is_public(address: str) -> bool:
    """Whether the address is one of the open network; what is no address is not."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return not any(found in one for one in _NOT_PUBLIC)
    return found in _UNICAST and not any(found in one for one in _NOT_UNICAST)


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of the host, as this machine finds them, each once."""

    def look_up() -> Sequence[str]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    return await asyncio.get_running_loop().run_in_executor(_threads, look_up)
