"""Alice: a short life in purchases, and what her home page must say of it."""

from __future__ import annotations

import copy
from typing import Any

from domain import catalogue, recommendations, storage
from domain.catalogue import CatalogueItem
from tests.graphql.gateway import NOW, Gateway, Session, entries_cursor, global_id
from tests.graphql.orders import applied, line, order, record
from tests.graphql.programme import PRODUCTS, perk_id


async def a_life(gateway: Gateway) -> Session:
    """Alice, who joined in December, gave herself a name, and bought four times.

    The first three orders, recorded together, earn at bronze:
      A  a cup: 88 yuan, 88 points, which expire after 10 March 2026
      B  two teas and a cup, 336 + 88 yuan, of which she paid 400:
         (336 × 1.5 + 88) × 400/424 = 558.49, hence 558
      C  a tea and something unknown to the catalogue: 168 × 1.5 + 200 = 452
    Their 1,098 points lift her to silver, at which the fourth earns a tenth more:
      D  a cup, a bag and a tea: (88 + 5 + 168 × 1.5) × 1.1 = 379.5, hence 379
    """
    gateway.clock.advance(days=-90)
    await gateway.sign_in()
    gateway.clock.moment = NOW
    session = await gateway.sign_in()
    name = {"nickname": "小明 🍵", "avatarUrl": "https://img.jifen.example/alice.png"}
    await gateway.send("UpdateProfile", session.access_token, input=name)
    alice = session.member_id
    first = await record(
        gateway,
        "batch-1",
        [
            order("A", alice, placedAt="2025-03-10T10:00:00+08:00"),
            order(
                "B",
                alice,
                line("tea", 33_600, quantity=2),
                line("cup", 8_800),
                paid=40_000,
                placedAt="2025-11-20T04:30:00Z",
            ),
            order(
                "C",
                alice,
                line("tea", 16_800),
                line("mystery", 20_000),
                placedAt="2026-02-28T01:15:00.25Z",
            ),
        ],
    )
    assert applied(first) == [88, 558, 452]
    fourth = order("D", alice, line("cup", 8_800), line("bag", 500), line("tea", 16_800))
    assert applied(await record(gateway, "batch-2", [fourth])) == [379]
    assert await recommendations.refresh_popularity(now=NOW) == 4
    return session


async def alices_home(alice: Session) -> dict[str, Any]:
    """All that the home page must say of that life."""
    return {
        "program": {"name": "茶语会员", "timeZone": "Asia/Shanghai", "currency": "CNY"},
        "me": {
            "id": alice.member_id,
            "version": await newest_event(alice),
            "nickname": "小明 🍵",
            "avatarUrl": "https://img.jifen.example/alice.png",
            "unreadCount": 1,
            "tier": _tier(),
            "points": {
                "available": 1_477,
                "pending": 0,
                "held": 0,
                "debt": 0,
                "expiringSoon": [{"points": 88, "expiresAt": "2026-03-10T16:00:00Z"}],
            },
            "ledger": {
                "edges": [
                    _entry(alice, 4, "D", 379, 1_477, "2026-03-01T11:00:00Z"),
                    _entry(alice, 3, "C", 452, 1_098, "2026-02-28T01:15:00.250000Z"),
                    _entry(alice, 2, "B", 558, 646, "2025-11-20T04:30:00Z"),
                    _entry(alice, 1, "A", 88, 88, "2025-03-10T02:00:00Z"),
                ],
                "pageInfo": {"hasNextPage": False, "endCursor": entries_cursor(1)},
            },
            "coupons": {"nodes": []},
            "recommendations": await _recommendations(),
        },
    }


def _tier() -> dict[str, Any]:
    return {
        "level": {"code": "silver", "name": "白银会员", "rank": 1, "threshold": 1_000},
        "since": "2026-03-01T12:00:00Z",
        # Through 1 March 2027 in Shanghai.
        "keepUntil": "2027-03-01T16:00:00Z",
        "progress": {
            "qualifyingPoints": 1_477,
            "nextLevel": {"code": "gold", "name": "黄金会员"},
            "pointsToNext": 1_523,
            # The day on which silver was reached does not count towards keeping it.
            "pointsToKeep": 1_000,
            "windowEndsAt": "2027-03-01T16:00:00Z",
            "criteria": [{"kind": "QUALIFYING_POINTS", "current": 1_477, "required": 3_000}],
        },
        "perks": [
            {
                "id": global_id("Perk", perk_id("silver", "discount")),
                "code": "discount",
                "title": "会员折扣",
                "description": "全场 98 折",
                "kind": "DISCOUNT",
                "value": "0.98",
                "quota": None,
                "remaining": None,
                "resetsAt": None,
            },
            {
                "id": global_id("Perk", perk_id("silver", "shipping")),
                "code": "shipping",
                "title": "包邮",
                "description": "满 59 元",
                "kind": "FREE_SHIPPING",
                "value": "59",
                "quota": 4,
                "remaining": 4,
                "resetsAt": "2026-03-31T16:00:00Z",
            },
            {
                "id": global_id("Perk", perk_id("silver", "points")),
                "code": "points",
                "title": "积分加速",
                "description": "多得一成",
                "kind": "EARNING_MULTIPLIER",
                "value": "1.1",
                "quota": None,
                "remaining": None,
                "resetsAt": None,
            },
        ],
    }


def _entry(
    alice: Session, seq: int, order_id: str, amount: int, balance_after: int, occurred_at: str
) -> dict[str, Any]:
    return {
        "cursor": entries_cursor(seq),
        "node": {
            "id": global_id("LedgerEntry", f"{alice.member}:{seq}"),
            "kind": "EARN",
            "amount": amount,
            "balanceAfter": balance_after,
            "reason": None,
            "occurredAt": occurred_at,
            "source": {"kind": "purchase", "reference": order_id},
        },
    }


async def _recommendations() -> dict[str, Any]:
    """Shares of the eight lines; the eighth names no product of the catalogue."""
    tea, cup, bag = (item for item in PRODUCTS if item.code in {"tea", "cup", "bag"})
    return {
        "personalized": False,
        "items": [
            await _shown(1, cup, 0.375),
            await _shown(2, tea, 0.375),
            await _shown(3, bag, 0.125),
        ],
    }


async def _shown(rank: int, item: CatalogueItem, share: float) -> dict[str, Any]:
    product = (await catalogue.products_by_code([item.code]))[item.code]
    return {
        "rank": rank,
        "score": share,
        "shelf": "POPULAR",
        "product": {
            "id": global_id("Product", product.id),
            "title": item.title,
            "imageUrl": item.image_url,
            "theme": item.theme and {"code": item.theme.code, "name": item.theme.name_zh},
            "price": item.price_fen and {"amount": item.price_fen, "currency": "CNY"},
        },
        "reasons": [],
    }


async def newest_event(member: Session) -> str:
    """The newest event about the member, by which a client sees that something changed."""
    row = await storage.fetch_one(
        "SELECT last_seq AS newest FROM outbox_stream WHERE member_id = $1", member.member
    )
    assert row is not None
    return str(row["newest"])


def in_english(chinese: dict[str, Any]) -> dict[str, Any]:
    """The same page with every text of the programme in English; product titles have one form."""
    page = copy.deepcopy(chinese)
    page["program"]["name"] = "Teatalk Club"
    me = page["me"]
    me["tier"]["level"]["name"] = "Silver"
    me["tier"]["progress"]["nextLevel"]["name"] = "Gold"
    me["tier"]["perks"][0] |= {"title": "Member discount", "description": "2 % off everything"}
    me["tier"]["perks"][1] |= {"title": "Free shipping", "description": "From 59 yuan"}
    me["tier"]["perks"][2] |= {"title": "More points", "description": "A tenth more"}
    cup, tea, _ = me["recommendations"]["items"]
    cup["product"]["theme"]["name"] = "Home"
    tea["product"]["theme"]["name"] = "Tea"
    return page
