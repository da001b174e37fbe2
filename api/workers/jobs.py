"""The recurring jobs of the programme."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from api.workers.ledger_audits import audit_changes, audit_everything
from api.workers.level_evaluations import evaluate_levels
from api.workers.settings import WorkSettings
from domain import games, ledger, members, notifications, outbox, recommendations
from domain.clock import Clock

SWEPT_MAX: Final = 1_000_000
"""Accounts that one run of the sweeper brings up to date, at most."""

BUSY: Final = 0.8
"""The part of its slot in which an audit, or a walk over levels, begins further batches."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done once in each slot of `every`, by one worker.

    It may be done twice, or again from the beginning: it must bear that. `run` answers how much it
    did, for the log. `name` is kept in the database: it must not change.
    """

    name: str
    every: timedelta
    run: Callable[[], Awaitable[int]]


def recurring_jobs(work: WorkSettings, *, clock: Clock) -> tuple[Job, ...]:
    """All of them."""

    async def refresh_recommendations() -> int:
        return await recommendations.refresh_popularity(now=clock.now())

    async def sweep_points() -> int:
        swept = await ledger.sweep(
            now=clock.now(), accounts_max=SWEPT_MAX, within_s=work.sweep_points_within_s
        )
        return swept.entries

    async def audit_what_changed() -> int:
        within_s = work.audit_changes_every_s * BUSY
        return await audit_changes(clock, within_s=within_s)

    async def audit_by_night() -> int:
        within_s = work.audit_everything_every_s * BUSY
        return await audit_everything(clock, begins_s=work.audit_begins_s, within_s=within_s)

    async def evaluate_all_levels() -> int:
        return await evaluate_levels(clock, within_s=work.evaluate_levels_every_s * BUSY)

    async def tell_of_points_that_expire() -> int:
        within_s = work.tell_expiring_every_s * BUSY
        return await ledger.tell_expiring(now=clock.now(), within_s=within_s)

    return (
        Job(
            name="refresh-recommendations",
            every=timedelta(seconds=work.refresh_recommendations_every_s),
            run=refresh_recommendations,
        ),
        Job(
            name="sweep-points",
            every=timedelta(seconds=work.sweep_points_every_s),
            run=sweep_points,
        ),
        Job(
            name="audit-changes",
            every=timedelta(seconds=work.audit_changes_every_s),
            run=audit_what_changed,
        ),
        Job(
            name="audit-everything",
            every=timedelta(seconds=work.audit_everything_every_s),
            run=audit_by_night,
        ),
        Job(
            name="evaluate-levels",
            every=timedelta(seconds=work.evaluate_levels_every_s),
            run=evaluate_all_levels,
        ),
        Job(
            name="tell-expiring",
            every=timedelta(seconds=work.tell_expiring_every_s),
            run=tell_of_points_that_expire,
        ),
        *_forgetting_jobs(work, clock=clock),
    )


def _forgetting_jobs(work: WorkSettings, *, clock: Clock) -> tuple[Job, ...]:
    """Those that delete what is no longer needed."""

    async def forget_events() -> int:
        before = clock.now() - timedelta(days=work.keep_events_days)
        forgotten = 0
        while found := await outbox.forget(before=before):
            forgotten += found
        return forgotten

    async def forget_sign_in_codes() -> int:
        now = clock.now()
        forgotten = await members.forget_sign_in_codes(now=now)
        return forgotten + await members.forget_email_codes(now=now)

    async def forget_webhooks() -> int:
        before = clock.now() - timedelta(days=work.keep_webhooks_days)
        forgotten = 0
        while found := await games.forget_webhooks(before=before):
            forgotten += found
        return forgotten

    async def forget_deliveries() -> int:
        before = clock.now() - timedelta(days=work.keep_deliveries_days)
        forgotten = 0
        while found := await notifications.forget_deliveries(before=before):
            forgotten += found
        return forgotten

    async def forget_game_events() -> int:
        now = clock.now()
        forgotten = await games.forget_bind_tokens(now=now)
        while found := await games.forget_game_events(before=now - games.EVENTS_KEPT):
            forgotten += found
        return forgotten

    every = timedelta(seconds=work.forget_every_s)
    return (
        Job(name="forget-events", every=every, run=forget_events),
        Job(name="forget-sign-in-codes", every=every, run=forget_sign_in_codes),
        Job(name="forget-game-events", every=every, run=forget_game_events),
        Job(name="forget-webhooks", every=every, run=forget_webhooks),
        Job(name="forget-deliveries", every=every, run=forget_deliveries),
    )
