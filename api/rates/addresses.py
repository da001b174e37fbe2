"""Whose a request is when nobody is signed in: its address, as far as one person may have several.

Behind a proxy the server puts the client's address in place of the proxy's, where it trusts the
proxy (`JIFEN_TRUSTED_PROXIES`). Nothing that a client sends is looked at here.
"""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from starlette.types import Scope

IPV6_PREFIX: Final = 64
"""What one household or machine is given: it may choose among 2^64 addresses of its own."""


def client_address(scope: Scope) -> str:
    """The IPv4 address, or the network of the IPv6 one; `unknown` where there is none."""
    client: Any = scope.get("client")
    try:
        address = ip_address(client[0]) if client else None
    except ValueError:
        return "unknown"
    if address is None:
        return "unknown"
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((address, IPV6_PREFIX), strict=False))
