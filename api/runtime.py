"""What the gateway opens at start-up and closes at the end, handed to the edge as one value."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias

from api.authentication import ConfirmCaller, confirm_nothing
from api.health import Check
from api.settings import Settings
from domain.clock import Clock
from resolvers.context import Services


@dataclass(frozen=True, slots=True)
class Runtime:
    """Services that are open, the programme's clock, and what the edge asks of them.

    `jwks` answers the public key set as plain JSON values; `confirm` looks behind a good token;
    `checks` are what `/readyz` probes.
    """

    services: Services
    clock: Clock
    jwks: Callable[[], dict[str, Any]]
    checks: tuple[Check, ...] = ()
    confirm: ConfirmCaller = confirm_nothing


OpenRuntime: TypeAlias = Callable[[Settings], AbstractAsyncContextManager[Runtime]]
"""Opens what the settings name, and closes it when the server stops."""
