"""What a partner's settings may be. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from domain.errors import InvalidInput
from domain.ledger import POINTS_MAX
from domain.texts import clean_text

NAME_CHARACTERS_MAX: Final = 100
NETWORKS_MAX: Final = 50
URL_CHARACTERS_MAX: Final = 2_048


def clean_terms(terms: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a partner by name, networks in their usual spelling; InvalidInput."""
    cleaned = dict(terms)
    for name in ("name_zh", "name_en"):
        clean_text(
            cleaned[name],
            field=(name,),
            characters_min=1,
            characters_max=NAME_CHARACTERS_MAX,
        )
    for name in ("points_per_day", "points_per_member_day"):
        if not 0 <= cleaned[name] <= POINTS_MAX:
            raise InvalidInput(field=(name,), rule=f"0 to {POINTS_MAX}")
    cleaned["networks"] = clean_networks(cleaned["networks"])
    clean_webhook_url(cleaned["webhook_url"])
    return cleaned


def clean_networks(networks: Sequence[str]) -> tuple[str, ...]:
    """The networks as CIDR, each once, in order; InvalidInput."""
    if len(networks) > NETWORKS_MAX:
        raise InvalidInput(field=("networks",), rule=f"{NETWORKS_MAX} networks at most")
    try:
        known = {ip_network(one.strip()) for one in networks}
    except ValueError:
        rule = "networks like 203.0.113.0/24 or 2001:db8::/32, without bits of a host"
        raise InvalidInput(field=("networks",), rule=rule) from None
    return tuple(sorted(str(one) for one in known))


def clean_webhook_url(url: str | None) -> None:
    """Refuse InvalidInput unless the address is https, of a host, without a user.

    Within a machine http will do: only in development anything is sent there.
    """
    if url is None:
        return
    rule = "an https address of a host, without user, password and fragment"
    clean_text(url, field=("webhook_url",), characters_min=1, characters_max=URL_CHARACTERS_MAX)
    try:
        parts, sent = urlsplit(url), httpx.URL(url)
        known = (
            # What sends to it must read the same host.
            sent.raw_host.decode("ascii") == parts.hostname
            and (parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname)))
            and parts.username is None
            and not parts.fragment
            and url.isascii()
            and " " not in url
            and (parts.port is None or parts.port > 0)
        )
    except (ValueError, httpx.InvalidURL):
        known = False
    if not known:
        raise InvalidInput(field=("webhook_url",), rule=rule)


def is_inside(address: str, networks: Sequence[str]) -> bool:
    """Whether the address lies in one of the networks; without networks every one does."""
    if not networks:
        return True
    try:
        found: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    known: list[IPv4Network | IPv6Network] = [ip_network(one) for one in networks]
    return any(found.version == one.version and found in one for one in known)


def _is_here(host: str | None) -> bool:
    """Whether the host can be no other machine."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
