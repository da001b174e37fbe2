"""Which names the pages answer to.

They hold tokens of the demo. A page of the web can have its own name resolve to this machine (DNS
rebinding), and would read them as its own origin; its Host header still says the name. So these
pages answer to addresses of this machine and to names that the settings say, and to no other.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from api.settings import Settings
from api.transport import TransportFault
from schema.faults import FaultCode


def require_known_host(host: str | None, settings: Settings) -> None:
    """Raise TransportFault unless the Host header names this machine, or what is configured.

    Configured are `JIFEN_HOST`, `JIFEN_ISSUER` and `JIFEN_CORS_ORIGINS`. A gateway that listens on
    every address answers to every address as well: only a name can be made to lead elsewhere.
    """
    name = _name(f"//{host or ''}")
    if name not in _configured(settings) and not _is_own_address(name, settings):
        raise TransportFault(
            FaultCode.FORBIDDEN,
            f"This page is for whoever develops here: ask http://127.0.0.1:{settings.port}, "
            "or name this host in JIFEN_ISSUER.",
        )


def _configured(settings: Settings) -> set[str]:
    urls = (settings.issuer, *(one for one in settings.cors_origins if one != "*"))
    return {"localhost", settings.host.lower(), *map(_name, urls)} - {""}


def _is_own_address(name: str, settings: Settings) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        return name.endswith(".localhost")
    return address.is_loopback or settings.host in {"0.0.0.0", "::"}  # noqa: S104 - compared only


def _name(url: str) -> str:
    """The host of a URL, in small letters; empty where there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
