"""Reading and writing the items of partners: a fixed number of statements for a whole batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from domain.games.reward_items import KeptItem, RewardStatus, kept_item_of
from domain.storage import Table, fetch_all, write_together

_ITEMS: Final = Table(
    "reward_item",
    partner_id="uuid",
    external_id="text",
    id="uuid",
    member_id="uuid",
    paid_to="uuid",
    campaign_id="uuid",
    kind="text",
    points="bigint",
    occurred_at="timestamptz",
    received_at="timestamptz",
    day="date",
    reverses="text",
    reversed_by="text",
    business_reference="text",
    prize_code="text",
    disclosure_version="int",
    status="text",
    first_status="text",
    code="text",
    entry_seq="bigint",
    batch_id="text",
    member_digest="text",
    content_digest="text",
    came_with="uuid",
)

_PLAIN: Final = (
    *("partner_id", "external_id", "id", "member_id", "paid_to", "campaign_id", "points"),
    *("occurred_at", "received_at", "day", "reverses", "reversed_by", "business_reference"),
    *("prize_code", "disclosure_version", "entry_seq", "batch_id"),
    *("member_digest", "content_digest", "came_with"),
)


async def payers_of(partner_id: UUID, grants: Sequence[str]) -> set[UUID]:
    """In whose journals the grants with these ids stand: accounts to lock with the members'.

    Of what is the same business event as another one, where that one stands.
    """
    if not grants:
        return set()
    rows = await fetch_all(
        "SELECT f.paid_to FROM reward_item g"
        " JOIN reward_item f ON f.id = g.id AND f.status <> 'DUPLICATE'"
        " WHERE g.partner_id = $1 AND g.external_id = ANY($2::text[]) AND f.paid_to IS NOT NULL",
        *(partner_id, list(grants)),
    )
    return {row["paid_to"] for row in rows}


async def items_of(
    partner_id: UUID, external_ids: Sequence[str]
) -> tuple[dict[str, KeptItem], dict[str, list[KeptItem]]]:
    """The partner's items with these ids, locked, and reversals that wait for one of them.

    Those that wait come by the id that they wait for, in the order in which they were received.
    """
    rows = await fetch_all(
        "SELECT * FROM reward_item WHERE partner_id = $1 AND (external_id = ANY($2::text[])"
        " OR (status = 'PENDING' AND reverses = ANY($2::text[])))"
        " ORDER BY external_id FOR NO KEY UPDATE",
        *(partner_id, list(external_ids)),
    )
    kept = {row["external_id"]: kept_item_of(row) for row in rows}
    waiting: dict[str, list[KeptItem]] = {}
    for one in sorted(kept.values(), key=lambda one: (one.received_at, one.id)):
        if one.status is RewardStatus.PENDING and one.reverses is not None:
            waiting.setdefault(one.reverses, []).append(one)
    return kept, waiting


async def firsts_of(duplicates: Collection[KeptItem]) -> dict[UUID, KeptItem]:
    """The items that these are the same business events as, locked, by their ids.

    No statement for none.
    """
    if not duplicates:
        return {}
    rows = await fetch_all(
        "SELECT * FROM reward_item WHERE id = ANY($1::uuid[]) AND status <> 'DUPLICATE'"
        " ORDER BY external_id FOR NO KEY UPDATE",
        sorted({one.id for one in duplicates}),
    )
    return {row["id"]: kept_item_of(row) for row in rows}


async def grants_of_events(
    campaign_ids: Iterable[UUID], references: Collection[str]
) -> dict[tuple[UUID, str], KeptItem]:
    """The grants of these business events, by campaign and reference. No statement for none."""
    if not references:
        return {}
    rows = await fetch_all(
        "SELECT * FROM reward_item WHERE campaign_id = ANY($1::uuid[])"
        " AND business_reference = ANY($2::text[]) AND kind = 'GRANT' AND status = 'APPLIED'",
        *(sorted(campaign_ids), sorted(references)),
    )
    return {(row["campaign_id"], row["business_reference"]): kept_item_of(row) for row in rows}


async def grants_of_day(
    partner_id: UUID, day: date, member_ids: Collection[UUID]
) -> dict[tuple[UUID, UUID], int]:
    """What the partner granted on this day, by member and campaign, also what came back since."""
    rows = await fetch_all(
        "SELECT member_id, campaign_id, CAST(SUM(points) AS BIGINT) AS points FROM reward_item"
        " WHERE member_id = ANY($1::uuid[]) AND partner_id = $2 AND day = $3"
        " AND kind = 'GRANT' AND status = 'APPLIED' GROUP BY member_id, campaign_id",
        *(sorted(member_ids), partner_id, day),
    )
    return {(row["member_id"], row["campaign_id"]): row["points"] for row in rows}


async def write_items(items: Iterable[KeptItem]) -> None:
    """Write the items: new ones, and those that changed; sorted, so that batches lock alike."""
    ordered = sorted(items, key=lambda one: one.external_id)
    await write_together([_ITEMS.inserting(_row(one) for one in ordered if not one.is_stored)])
    changed = [_row(one) for one in ordered if one.is_stored]
    await _ITEMS.update(changed, key=("partner_id", "external_id"))


def _row(kept: KeptItem) -> dict[str, Any]:
    row = {name: getattr(kept, name) for name in _PLAIN}
    return row | {
        "kind": kept.kind.value,
        "status": kept.status.value,
        "first_status": kept.first_status.value,
        "code": kept.code and kept.code.value,
    }
