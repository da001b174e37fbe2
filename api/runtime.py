"""What the gateway opens at start-up and closes at the end, handed to the edge as one value."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from api.authentication import ConfirmCaller, confirm_nothing
from api.conditional import Revise
from api.health import Check
from api.partners.signing import FindGuard
from api.persisted.keeping import KeptDocuments
from api.settings import Settings
from api.streaming.connections import FindEnded, find_nobody_ended
from domain.clock import Clock
from domain.revisions import revision
from resolvers.context import Services


@dataclass(frozen=True, slots=True)
class Runtime:
    """Services that are open, the programme's clock, and what the edge asks of them.

    `jwks` answers the public key set as plain JSON values; `guard` tells what the edge checks of a
    partner, and whoever opens a gateway has to say it; `confirm` looks behind a good token,
    `find_ended` behind those of connections that stay open; `checks` are what `/readyz` probes;
    `kept_documents` are those that clients sent with their hash;
    `revise` tells whether anything that a caller can read has changed.
    """

    services: Services
    clock: Clock
    jwks: Callable[[], dict[str, Any]]
    guard: FindGuard
    checks: tuple[Check, ...] = ()
    confirm: ConfirmCaller = confirm_nothing
    find_ended: FindEnded = find_nobody_ended
    kept_documents: KeptDocuments = field(default_factory=KeptDocuments)
    revise: Revise = revision


OpenRuntime: TypeAlias = Callable[[Settings], AbstractAsyncContextManager[Runtime]]
"""Opens what the settings name, and closes it when the server stops."""
