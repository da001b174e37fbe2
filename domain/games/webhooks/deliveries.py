"""Deliveries as they are kept: claimed, recorded, read, sent again on demand, forgotten.

A delivery is claimed by writing a lease into its row: one statement that commits at once, so that
no transaction is open while a partner is waited for. `next_at` is then the end of the lease: what a
sender that died had claimed is due again by itself, under the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

from domain.games.webhooks.sending import Answer
from domain.paging import Page, PageRequest, page_of
from domain.retrying import next_attempt_at
from domain.storage import Row, execute, execute_many, fetch_all, transaction

LEASE: Final = timedelta(seconds=60)
"""Longer than an attempt may take."""

FORGOTTEN_AT_ONCE: Final = 5_000
_LAST: Final = UUID(int=2**128 - 1)


class WebhookState(StrEnum):
    """How a webhook stands."""

    PENDING = "PENDING"
    """It is to be sent, or sent again."""
    DELIVERED = "DELIVERED"
    """The partner has taken it."""
    FAILED = "FAILED"
    """It was not taken, however often it was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery:
    """A message to a partner; `payload` are the very characters that are sent."""

    id: UUID
    type: str
    payload: str = field(repr=False)
    state: WebhookState
    attempts: int
    created_at: datetime
    next_at: datetime | None
    last_at: datetime | None
    last_status: int | None
    last_error: str | None
    delivered_at: datetime | None

    @property
    def message_id(self) -> str:
        """The `webhook-id`, the same at every attempt."""
        return f"msg_{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """Where a partner's webhooks go."""

    partner_id: UUID
    code: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that ended at `at`."""

    delivery: WebhookDelivery
    answer: Answer
    at: datetime
    jitter: float


_COLUMNS: Final = (
    "id, type, payload, state, attempts, created_at, next_at, last_at, last_status, last_error,"
    " delivered_at"
)

# Partners are few and their deliveries may be many: one look into the index for each partner.
_DUE: Final = """
    SELECT due.account_id, due.code, due.webhook_url FROM (
        SELECT partner.account_id, partner.code, partner.webhook_url,
               (SELECT MIN(d.next_at) FROM webhook_delivery AS d
                WHERE d.partner_id = partner.account_id AND d.state = 'PENDING') AS due_at
        FROM partner
        JOIN access_account ON access_account.id = partner.account_id
        LEFT JOIN webhook_gone AS gone
            ON gone.partner_id = partner.account_id AND gone.url = partner.webhook_url
        WHERE partner.webhook_url IS NOT NULL AND gone.partner_id IS NULL
            AND access_account.disabled_at IS NULL
    ) AS due
    WHERE due.due_at <= $1
    ORDER BY due.due_at, due.code
"""

_CLAIM: Final = f"""
    UPDATE webhook_delivery SET lease = $1, next_at = $2
    WHERE id IN (
        WITH due AS MATERIALIZED (
            SELECT id FROM webhook_delivery
            WHERE partner_id = $3 AND state = 'PENDING' AND next_at <= $4
                AND EXISTS (SELECT 1 FROM partner
                            WHERE partner.account_id = $3 AND partner.webhook_url = $5)
                AND NOT EXISTS (SELECT 1 FROM webhook_gone AS gone
                                WHERE gone.partner_id = $3 AND gone.url = $5)
            ORDER BY next_at, id
            LIMIT $6
            FOR NO KEY UPDATE SKIP LOCKED
        )
        SELECT id FROM due
    )
    RETURNING {_COLUMNS}
"""

_RECORD: Final = """
    UPDATE webhook_delivery
    SET state = $3, attempts = attempts + 1, next_at = $4::timestamptz, lease = NULL,
        last_at = $5::timestamptz, last_status = $6::integer, last_error = $7::text,
        delivered_at = COALESCE($8::timestamptz, delivered_at)
    WHERE id = $1 AND lease = $2
"""

# Who asks for a pause asks it for everything that waits for them.
_REST: Final = """
    UPDATE webhook_delivery SET next_at = $2
    WHERE partner_id = $1 AND state = 'PENDING' AND lease IS NULL AND next_at < $2
"""


async def due_endpoints(*, now: datetime) -> Sequence[WebhookEndpoint]:
    """The partners for whom something is due, who waits longest first.

    Left out: who is disabled, has no address, or said that nothing is there any more.
    """
    rows = await fetch_all(_DUE, now)
    return [
        WebhookEndpoint(partner_id=row["account_id"], code=row["code"], url=row["webhook_url"])
        for row in rows
    ]


async def claim(
    endpoint: WebhookEndpoint, *, now: datetime, count: int
) -> tuple[UUID, Sequence[WebhookDelivery]]:
    """What is due for the partner, at most `count`, for this sender alone; and the lease.

    Nothing when the address is no longer this one, or was given up.
    """
    lease = uuid4()
    rows = await fetch_all(
        _CLAIM, lease, now + LEASE, endpoint.partner_id, now, endpoint.url, count
    )
    return lease, [delivery_of(row) for row in rows]


async def record(endpoint: WebhookEndpoint, attempts: Sequence[Attempt], *, lease: UUID) -> None:
    """Write down what became of claimed deliveries, where the lease still holds."""
    rows = [_recorded(one, lease=lease) for one in attempts]
    pauses = [one.at + one.answer.asked_for for one in attempts if one.answer.asked_for]

    async def work() -> None:
        await execute_many(_RECORD, rows)
        if pauses:
            await execute(_REST, endpoint.partner_id, max(pauses))

    await transaction(work)


def _recorded(attempt: Attempt, *, lease: UUID) -> tuple[object, ...]:
    delivery, answer = attempt.delivery, attempt.answer
    next_at = None
    if answer.error is None:
        state = WebhookState.DELIVERED
    else:
        next_at = next_attempt_at(
            delivery.attempts + 1,
            failed_at=attempt.at,
            asked_for=answer.asked_for,
            jitter=attempt.jitter,
        )
        state = WebhookState.FAILED if next_at is None else WebhookState.PENDING
    delivered_at = attempt.at if state is WebhookState.DELIVERED else None
    error = None if answer.error is None else answer.error.value
    return (
        *(delivery.id, lease, state.value, next_at, attempt.at),
        *(answer.status, error, delivered_at),
    )


async def deliveries_page(partner_id: UUID, page: PageRequest) -> Page[WebhookDelivery]:
    """A page of the partner's deliveries, the newest first. Key: (id)."""
    [before] = page.after or (_LAST,)
    rows = await fetch_all(
        f"SELECT {_COLUMNS} FROM webhook_delivery WHERE partner_id = $1 AND id < $2"
        " ORDER BY id DESC LIMIT $3",
        *(partner_id, before, page.limit),
    )
    return page_of([delivery_of(row) for row in rows], first=page.first, key=lambda one: (one.id,))


async def forget_webhooks(*, before: datetime, count: int = FORGOTTEN_AT_ONCE) -> int:
    """Delete deliveries that were made before this moment, some of the oldest; how many.

    Whatever became of them: who has not taken one by then never will.
    """
    return await execute(
        "DELETE FROM webhook_delivery WHERE id IN (SELECT id FROM webhook_delivery"
        " WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
        *(before, count),
    )


def delivery_of(row: Row) -> WebhookDelivery:
    """The delivery in a row of the table."""
    return WebhookDelivery(
        id=row["id"],
        type=row["type"],
        payload=row["payload"],
        state=WebhookState(row["state"]),
        attempts=row["attempts"],
        created_at=row["created_at"],
        next_at=row["next_at"],
        last_at=row["last_at"],
        last_status=row["last_status"],
        last_error=row["last_error"],
        delivered_at=row["delivered_at"],
    )
