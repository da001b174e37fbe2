"""Whether the process lives, whether it can serve, and its public keys.

`/livez` says that the process answers. `/readyz` probes what it needs: 503 while something required
fails, or once the process is about to end; with something optional down it stays ready, and says
that it is degraded. Neither tells why: that is in the log.

Something fails only when it misses twice in a row within the one request: a busy process gets to a
good answer late now and then, and to be taken out of service for that would make the others busier.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

log = structlog.get_logger("jifen.health")

PROBE_SECONDS_MAX: Final = 0.2
PROBES_MAX: Final = 2
JWKS_SECONDS_KEPT: Final = 300

Outcome = Literal["ok", "failed", "timeout"]


@dataclass(frozen=True, slots=True)
class Check:
    """Something the gateway leans on. `probe` returns when it works and raises when it does not."""

    name: str
    probe: Callable[[], Awaitable[None]]
    required: bool = True


async def live(_: Request) -> Response:
    """200 while the process answers at all."""
    return JSONResponse({"status": "ok"})


async def readiness(checks: Sequence[Check], *, draining: bool = False) -> Response:
    """200 `ready` or `degraded`, or 503 `unavailable`, with the outcome of each check.

    A process that is about to end answers 503 `draining` and probes nothing.
    """
    if draining:
        return JSONResponse(
            {"status": "draining", "checks": {}},
            status_code=503,
            headers={"cache-control": "no-store", "connection": "close"},
        )
    outcomes = await asyncio.gather(*(_outcome(check) for check in checks))
    failed = [check for check, outcome in zip(checks, outcomes, strict=True) if outcome != "ok"]
    unavailable = any(check.required for check in failed)
    status = "unavailable" if unavailable else "degraded" if failed else "ready"
    return JSONResponse(
        {
            "status": status,
            "checks": {
                check.name: outcome for check, outcome in zip(checks, outcomes, strict=True)
            },
        },
        status_code=503 if unavailable else 200,
        headers={"cache-control": "no-store"},
    )


def key_set(jwks: object) -> Response:
    """The public keys that access tokens are verified with (RFC 7517)."""
    return JSONResponse(
        jwks,
        media_type="application/jwk-set+json",
        headers={"cache-control": f"public, max-age={JWKS_SECONDS_KEPT}"},
    )


async def _outcome(check: Check) -> Outcome:
    """How the check went, at the first try that goes well or at the last."""
    for tries_left in reversed(range(PROBES_MAX)):
        try:
            async with asyncio.timeout(PROBE_SECONDS_MAX):
                await check.probe()
        except TimeoutError:
            if not tries_left:
                log.warning("check_timeout", check=check.name)
                return "timeout"
        except Exception as fault:
            if not tries_left:
                log.warning("check_failed", check=check.name, exc_info=fault)
                return "failed"
        else:
            return "ok"
    raise AssertionError("the last try has an outcome")
