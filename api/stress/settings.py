"""What a process bears at once, and how long anything may take. All of it is a setting."""

from __future__ import annotations

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt


class StressSettings(BaseModel):
    """Bounds of one worker process. Durations are in seconds.

    They nest: a client that gives up after 5 s has had our answer after `request_s_max`, which is
    longer than WeChat is waited for, and much longer than a statement may take.
    """

    executing_max: PositiveInt = 8
    """Requests that are worked on at once. More would not be faster: there is one processor."""

    inside_max: PositiveInt = 512
    """Requests inside the process: worked on, queued, or waiting for a body or for WeChat."""

    burst_s_max: PositiveFloat = 1.0
    """How long a request may expect to queue in a burst, which the process is about to master."""

    standing_s_max: PositiveFloat = 0.02
    """The same once the queue has stood for longer than a burst: waiting would gain nothing."""

    caller_in_flight_max: PositiveInt = 64
    caller_queued_max: PositiveInt = 16
    """How many more of one caller's requests wait a moment for one of those to end."""

    request_s_max: PositiveFloat = 4.0
    batch_request_s_max: PositiveFloat = 10.0
    """For callers whose token carries a batch scope."""

    wechat_s_max: PositiveFloat = Field(default=3.0, le=60)
    drain_s: PositiveFloat = 10.0
