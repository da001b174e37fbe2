"""Accounts for the benchmarks, filled by plain SQL: one lot each, large enough for all of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.ledger.scripts import LOTS, RECORDED, VERSION, member_id
from domain import access, members, storage
from domain.access import AccessTokens, KeyRing
from domain.ledger import NEVER
from tests.domain.access.fixtures import OPERATOR
from tests.faults.town import A_DAY, ISSUER, Town
from tests.graphql.programme import SHOP, set_up_programme

CHECKOUT: Final = SHOP
POINTS: Final = 2**40

_MEMBERS = """
    INSERT INTO member (id, nickname, joined_at, version)
    SELECT member_id, '', $2, 1 FROM unnest($1::uuid[]) AS m (member_id)
"""
_ACCOUNTS = """
    INSERT INTO points_account (member_id, available, pending, held, debt, version, lots,
                                head_hash, next_change_at, recorded_at)
    SELECT member_id, $2, 0, 0, 0, 1, 1, sha256(''), $3, $4 FROM unnest($1::uuid[]) AS m (member_id)
"""
_LOTS = """
    INSERT INTO points_lot (member_id, lot_seq, entry_seq, earned, remaining, pinned, pending,
                            earned_at, matures_at, expires_at)
    SELECT member_id, 1, 1, $2, $2, 0, false, $4, $4, $3 FROM unnest($1::uuid[]) AS m (member_id)
"""


async def town_of(url: str, folder: Path) -> Town:
    """A programme with a shop, and the shop's token; nobody has bought anything."""
    now = datetime.now(UTC)
    keys = folder / "keys.json"
    members.create_phone_keys(folder / "phone-keys.json", now=now)
    tokens = AccessTokens(KeyRing(keys, now=now, create_missing=True), ISSUER)
    await set_up_programme(now=now)
    token, _ = await access.issue_token(SHOP, by=OPERATOR, tokens=tokens, now=now, ttl=A_DAY)
    return Town(
        database_url=url,
        keys=keys,
        members=[],
        member_tokens=[],
        shop_token=token,
        signed_out_token="",
    )


async def open_accounts(number: int) -> None:
    """Members 1 to `number` with a large lot each; the first ones' counters are the recordings'."""
    ids, now = [member_id(one) for one in range(1, number + 1)], datetime.now(UTC)
    await storage.execute(_MEMBERS, ids, now)
    await storage.execute(_ACCOUNTS, ids, POINTS, NEVER, now)
    await storage.execute(_LOTS, ids, POINTS, NEVER, now)
    await storage.execute(
        "UPDATE points_account SET version = $2, lots = $3 WHERE member_id = ANY($1::uuid[])",
        list(RECORDED),
        VERSION,
        LOTS,
    )
    await storage.execute("ANALYZE")
