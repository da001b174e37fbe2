"""What happened is told in words: every kind of item has a title, in both languages."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from api.workers.timelines import TELLING
from domain.feedback import Act
from domain.ledger import EntryKind
from domain.members import TimelineItem
from domain.outbox import PROGRAMME, Announced
from domain.purchases import OrderNoticeKind
from resolvers.context import Language
from resolvers.timeline import TimelineRecord
from schema.timeline import TITLES, title_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
UNTOLD = {"MATURE", "HOLD", "RELEASE", "MERGE_IN", "MERGE_OUT"}
UNTOLD_ACTS = {
    *(Act.REPLIED, Act.CLOSED, Act.RATED, Act.ASSIGNED, Act.NOTED),
    *(Act.MERGED, Act.TOOK_OVER, Act.PARTED),
}


def announced(event_kind: str, /, **facts: object) -> Announced:
    return Announced(member_id=PROGRAMME, seq=1, kind=event_kind, facts=facts, announced_at=NOW)


def test_every_kind_of_item_has_a_title() -> None:
    """Whoever adds a kind of entry says whether the timeline tells it, and what it is called."""
    told = set()
    for kind in EntryKind:
        event = announced(
            "PointsChanged", seq=1, kind=kind.value, amount=5, effective_at=NOW.isoformat()
        )
        item = TELLING["PointsChanged"](event)
        assert (item is None) == (kind.value in UNTOLD), kind
        if item is not None:
            told.add(item.kind)
    for act in Act:
        named = dict.fromkeys(("ticket", "number", "kind", "topic", "channel"), "x")
        item = TELLING["TicketUpdated"](announced("TicketUpdated", act=act.value, **named))
        assert (item is None) == (act in UNTOLD_ACTS), act
        if item is not None:
            told.add(item.kind)
    decided = {kind for kind in TITLES if kind.startswith(("POINTS_", "TICKET_"))}
    assert told == decided
    assert TITLES.keys() - decided == {
        *("JOINED", "CONSENT_GRANTED", "CONSENT_WITHDRAWN"),
        *("PURCHASE", "PURCHASE_REFUNDED", "LEVEL_CHANGED", "NOTE_ADDED"),
        *("REWARD_REDEEMED", "REDEMPTION_SHIPPED", "REDEMPTION_DELIVERED"),
        *("REDEMPTION_CANCELLED", "COUPON_USED", "PERK_USED", "PERK_USE_CANCELLED"),
        *("GAME_BOUND", "GAME_UNBOUND"),
        *(f"ORDER_{kind}" for kind in OrderNoticeKind),
    }
    assert TELLING.keys() == {
        *("MemberJoined", "ConsentChanged", "PointsChanged", "LevelChanged", "PurchaseRecorded"),
        *("PurchaseRefunded", "PerkUsed", "PerkUseCancelled"),
        *("RewardRedeemed", "RedemptionShipped", "RedemptionDelivered", "RedemptionCancelled"),
        *("CouponUsed", "MemberBound", "MemberUnbound", "OrderNoticeRecorded", "TicketUpdated"),
    }


TOLD: dict[str, tuple[str, dict[str, object], str, str]] = {
    "a correction downwards": (
        "POINTS_ADJUST",
        {"points": -12},
        "积分调整 -12",
        "Points corrected: -12",
    ),
    "a correction upwards": (
        "POINTS_ADJUST",
        {"points": 12},
        "积分调整 +12",
        "Points corrected: +12",
    ),
    "points that expired": ("POINTS_EXPIRE", {"points": -7}, "7 积分过期", "7 points expired"),
    "a purchase without a shop": (
        "PURCHASE",
        {"paid_fen": 5, "currency": "CNY", "shop": None},
        "消费 0.05 CNY",
        "Bought for 0.05 CNY",
    ),
    "a shop that looks like a template": (
        "PURCHASE",
        {"paid_fen": 100, "currency": "CNY", "shop": "{points} %s {0}"},
        "消费 1.00 CNY · {points} %s {0}",
        "Bought for 1.00 CNY · {points} %s {0}",
    ),
    "a refund": (
        "PURCHASE_REFUNDED",
        {"amount_fen": 2_550, "currency": "CNY", "shop": "静安店", "points_taken": 25},
        "退款 25.50 CNY · 静安店",
        "Was refunded 25.50 CNY · 静安店",
    ),
    "a level that is no more": ("LEVEL_CHANGED", {"to": "old"}, "等级变为old", "Level is now old"),
    "one of a reward": (
        "REWARD_REDEEMED",
        {"title_zh": "杯子", "title_en": "Mug", "quantity": 1, "points": 500},
        "兑换杯子",
        "Redeemed Mug",
    ),
    "some of a reward that looks like a template": (
        "REWARD_REDEEMED",
        {"title_zh": "{count}", "title_en": "{points}", "quantity": 3, "points": 1_500},
        "兑换{count} ×3",
        "Redeemed {points} ×3",
    ),
    "a gift on its way": (
        "REDEMPTION_SHIPPED",
        {"title_zh": "杯子", "title_en": "Mug"},
        "杯子已寄出",
        "Mug was sent",
    ),
    "a partner that is allowed": (
        "GAME_BOUND",
        {"partner": "arcade", "title_zh": "转盘乐园", "title_en": "Wheel Park"},
        "授权互动平台：转盘乐园",
        "Allowed Wheel Park to give points",
    ),
    "a partner that no longer is": (
        "GAME_UNBOUND",
        {"partner": "arcade", "title_zh": "转盘乐园", "title_en": "Wheel Park"},
        "解除互动平台授权：转盘乐园",
        "No longer allows Wheel Park",
    ),
    "a ticket that was answered": (
        "TICKET_ANSWERED",
        {"number": "T-000123", "kind": "COMPLAINT", "topic": "delivery"},
        "反馈 T-000123 已回复",
        "T-000123 was answered",
    ),
    "a promise that was broken": (
        "TICKET_ANSWER_MISSED",
        {"number": "T-000123", "kind": "COMPLAINT", "topic": "delivery"},
        "反馈 T-000123 未及时回复",
        "T-000123 was not answered in time",
    ),
    "a kind of a later version": ("MOON_LANDING", {}, "MOON_LANDING", "MOON_LANDING"),
}


@pytest.mark.parametrize("what", TOLD)
def test_a_title_is_made_of_the_facts(what: str) -> None:
    kind, facts, zh, en = TOLD[what]
    item = TimelineItem(
        member_id=PROGRAMME, id=UUID(int=1), occurred_at=NOW, kind=kind, channel=None, facts=facts
    )
    languages: tuple[tuple[Language, str], ...] = (("zh", zh), ("en", en))
    for language, title in languages:
        assert title_of(TimelineRecord(item, {}), language) == title
