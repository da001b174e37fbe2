"""The address of a partner: given up where it says that it is gone, taken up again by staff.

What waits while an address is given up goes out when it is taken up, or to another address of the
partner as soon as there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from domain import audit
from domain.audit import Actor, Target
from domain.errors import InvalidInput
from domain.games.partners import Partner, known_partner
from domain.games.webhooks.deliveries import WebhookEndpoint
from domain.storage import execute, fetch_one, transaction

REPLAYED_MAX: Final = 10_000
IDS_MAX: Final = 500

# What is under way now is left alone: it is being sent.
_REPLAY: Final = """
    UPDATE webhook_delivery
    SET state = 'PENDING', attempts = 0, next_at = $2::timestamptz, lease = NULL
    WHERE id IN (
        SELECT id FROM webhook_delivery
        WHERE partner_id = $1 AND {which}
            AND (state <> 'PENDING' OR (lease IS NULL AND next_at > $2))
        ORDER BY id LIMIT $4
    )
"""


async def give_up(endpoint: WebhookEndpoint, *, by: Actor, now: datetime) -> None:
    """Send nothing to this address any more, until staff says so."""

    async def work() -> None:
        new = await execute(
            "INSERT INTO webhook_gone (partner_id, url, disabled_at) VALUES ($1, $2, $3)"
            " ON CONFLICT (partner_id) DO UPDATE"
            " SET url = excluded.url, disabled_at = excluded.disabled_at"
            " WHERE webhook_gone.url <> excluded.url",
            *(endpoint.partner_id, endpoint.url, now),
        )
        if new:
            target = Target(kind="partner", id=endpoint.code)
            audit.record(by, "webhooks.disable", target=target, after={"status": 410}, now=now)

    await transaction(work)


async def given_up_at(partner: Partner) -> datetime | None:
    """Since when nothing is sent to the partner's address; None where it counts."""
    row = await fetch_one(
        "SELECT disabled_at FROM webhook_gone WHERE partner_id = $1 AND url = $2",
        *(partner.account_id, partner.webhook_url or ""),
    )
    return None if row is None else row["disabled_at"]


async def enable_webhooks(code: str, *, by: Actor, now: datetime) -> Partner:
    """Send to the partner's address again, and at once what waits. PartnerUnknown."""

    async def work() -> Partner:
        partner = await known_partner(code)
        await execute("DELETE FROM webhook_gone WHERE partner_id = $1", partner.account_id)
        await execute(
            "UPDATE webhook_delivery SET next_at = $2"
            " WHERE partner_id = $1 AND state = 'PENDING' AND lease IS NULL AND next_at > $2",
            *(partner.account_id, now),
        )
        target = Target(kind="partner", id=code)
        audit.record(by, "webhooks.enable", target=target, now=now)
        return partner

    return await transaction(work)


async def replay_webhooks(
    code: str,
    *,
    since: datetime | None = None,
    ids: Sequence[UUID] | None = None,
    by: Actor,
    now: datetime,
) -> int:
    """Send deliveries of the partner again, from the first attempt on, under their ids; how many.

    Either those with these ids (500 at most), or those made at `since` or later: 10,000 at a time,
    the oldest first. Again, it goes on with the others as long as these wait; what has gone is
    taken anew. Refused: PartnerUnknown, InvalidInput.
    """
    if (since is None) == (ids is None):
        raise InvalidInput(field=("since",), rule="either `since` or `ids`")
    if ids is not None and not 1 <= len(ids) <= IDS_MAX:
        raise InvalidInput(field=("ids",), rule=f"1 to {IDS_MAX} ids")
    which, value = (
        ("created_at >= $3", since) if ids is None else ("id = ANY($3::uuid[])", list(ids))
    )

    async def work() -> int:
        partner = await known_partner(code)
        count = await execute(
            _REPLAY.format(which=which), partner.account_id, now, value, REPLAYED_MAX
        )
        asked = {"since": since.isoformat()} if since else {"ids": len(ids or ())}
        audit.record(
            by,
            "webhooks.replay",
            target=Target(kind="partner", id=code),
            after={**asked, "count": count},
            now=now,
        )
        return count

    return await transaction(work)
