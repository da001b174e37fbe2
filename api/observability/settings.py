"""The settings of metrics, traces and the log of slow operations."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Final

from pydantic import BaseModel, Field, PositiveInt, SecretStr

LOOPBACK: Final = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


class MetricsSettings(BaseModel):
    """Who may read the metrics: nobody in production, unless one of these says otherwise.

    `port` serves them apart from everything else, on `host`; several workers take the ports from
    there on. `token` and `addresses` open `/metrics` on the gateway's own port.
    """

    port: int | None = Field(default=None, ge=1, le=65_535)
    host: str = "127.0.0.1"
    token: SecretStr | None = Field(default=None, min_length=16)
    addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    operations_max: PositiveInt = 200


class TraceSettings(BaseModel):
    """Where traces go. Without an endpoint there are none."""

    endpoint: Annotated[str, Field(pattern=r"^(https?://.+)?$")] = ""
    headers: dict[str, SecretStr] = {}
    sample_ratio: float = Field(default=1.0, ge=0, le=1)
    service_name: str = "jifen"
