"""Settling reversals that came at the very moment of their grants, in another batch.

Two batches that name the same member wait for one another. A reversal that names somebody else than
its grant does not: each of two batches may be written before the other can be seen. So each looks
once more after its commit. Of two the later one sees both, and nobody is answered before that, also
where the answer is one that was given before: whoever did not hear asks again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from domain.games.item_store import write_items
from domain.games.partners import Partner
from domain.games.push_decisions import reject, reversal_flaw
from domain.games.receipts import RewardBatch
from domain.games.reward_items import (
    ID_CHARACTERS_MAX,
    RETRYABLE,
    KeptItem,
    RewardStatus,
    kept_item_of,
)
from domain.games.telling import told_rejections
from domain.outbox import announce
from domain.storage import Row, fetch_all, transaction
from domain.texts import is_storable

_MAY_PASS: Final = sorted(code.value for code in RETRYABLE)

_BOTH_THERE: Final = """
    SELECT r.external_id, r.reverses
    FROM reward_item r
    JOIN reward_item g ON g.partner_id = r.partner_id AND g.external_id = r.reverses
    WHERE r.partner_id = $1 AND r.status = 'PENDING'
      AND (g.code IS NULL OR NOT g.code = ANY($3::text[]))
"""


async def settle(partner: Partner, batch: RewardBatch, *, now: datetime) -> None:
    """Refuse what waits for a grant that is there and cannot be meant.

    After the commit of the batch; a statement or two where nothing is to be settled.
    """
    rows = await _unsettled(partner, batch)
    if not rows:
        return
    named = sorted({row[column] for row in rows for column in ("external_id", "reverses")})

    async def work() -> None:
        found = await fetch_all(
            "SELECT * FROM reward_item WHERE partner_id = $1 AND external_id = ANY($2::text[])"
            " ORDER BY external_id FOR NO KEY UPDATE",
            *(partner.account_id, named),
        )
        kept = {row["external_id"]: kept_item_of(row) for row in found}
        refused = [
            reversal
            for reversal in (kept[row["external_id"]] for row in rows)
            if reversal.reverses is not None and _is_refused(reversal, kept[reversal.reverses])
        ]
        await write_items(refused)
        await announce(told_rejections(refused, partner=partner), now=now)

    await transaction(work)


def _is_refused(reversal: KeptItem, grant: KeptItem) -> bool:
    """Whether the reversal was waiting, and is refused now."""
    if reversal.status is not RewardStatus.PENDING or not grant.is_remembered:
        return False
    flaw = reversal_flaw(reversal, grant)
    # Where two records were joined since, nothing is wrong: whichever is sent again applies it.
    if flaw is not None:
        reject(reversal, flaw)
    return flaw is not None


async def _unsettled(partner: Partner, batch: RewardBatch) -> Sequence[Row]:
    """Reversals that wait though what they name is there: of this batch, or for one of it."""
    ids = [
        one.external_id
        for one in batch.receipts
        if is_storable(one.external_id, characters_max=ID_CHARACTERS_MAX)
    ]
    pending = {RewardStatus.PENDING}
    waiting = [
        one.external_id for one in batch.receipts if {one.status, one.first_status} & pending
    ]
    rows = await fetch_all(
        f"{_BOTH_THERE} AND r.reverses = ANY($2::text[])", partner.account_id, ids, _MAY_PASS
    )
    if not waiting:
        return rows
    mine = await fetch_all(
        f"{_BOTH_THERE} AND r.external_id = ANY($2::text[])",
        *(partner.account_id, waiting, _MAY_PASS),
    )
    return [*{row["external_id"]: row for row in (*rows, *mine)}.values()]
