"""The bounds of a call to WeChat."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WeChatLimits:
    """`deadline_seconds` covers all of a call: tries, waits between them, token, lock."""

    deadline_seconds: float = 8.0
    connect_timeout_seconds: float = 2.0
    read_timeout_seconds: float = 4.0
    tries_max: int = 3
    backoff_seconds: float = 0.1
    """The wait before the second try; doubled for the third; each plus as much again at random."""

    response_bytes_max: int = 1024 * 1024
    redis_timeout_seconds: float = 0.5
    """For one command. After a failure Redis is left alone for `redis_rest_seconds`."""

    redis_rest_seconds: float = 5.0
    turn_wait_seconds: float = 3.0
    """How long a worker waits for another one that is renewing the same access token."""

    @property
    def turn_lease_seconds(self) -> float:
        """How long a turn at renewing lasts at most: a renewal ends at the deadline of its call."""
        return self.deadline_seconds + 2 * self.redis_timeout_seconds
