"""What connections that stay open may be. Each bound is a setting of `JIFEN_STREAMING__...`."""

from __future__ import annotations

from pydantic import BaseModel, PositiveFloat, PositiveInt


class StreamingSettings(BaseModel):
    """Bounds of connections that stay open. Durations are in seconds.

    All are for one worker process. An address may be that of a mobile network with thousands of
    people behind it.
    """

    connections_max: PositiveInt = 10_000
    address_connections_max: PositiveInt = 2_000
    caller_connections_max: PositiveInt = 20
    subscriptions_max: PositiveInt = 10
    operations_max: PositiveInt = 20
    message_bytes_max: PositiveInt = 64 * 1024
    init_s_max: PositiveFloat = 10.0
    ping_every_s: PositiveFloat = 25.0
    send_s_max: PositiveFloat = 15.0
    sessions_checked_every_s: PositiveFloat = 15.0
