"""What members are told: the kinds, the group of each, its facts, and the text it came with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class KindGroup(StrEnum):
    """Kinds about which members say together how they want to be told."""

    LEVELS = "LEVELS"
    """Levels that are reached, at risk, lost."""
    POINTS = "POINTS"
    """Points about to expire."""
    ORDERS = "ORDERS"
    """Orders on their way, and money given back."""
    REWARDS = "REWARDS"
    """Gifts on their way."""
    NEWS = "NEWS"
    """New products of what the member cares for."""
    SERVICE = "SERVICE"
    """Answers of the shop's service, and all that has no group of its own."""


class Fact(StrEnum):
    """How a fact is written in a text."""

    PLAIN = "plain"
    """As it stands: a number, a name."""
    BY_LANGUAGE = "by_language"
    """A word that stands once for each language: `title_zh` and `title_en` are `{title}`."""
    MONEY = "money"
    """Fen, with the fact `currency`: 12.50 CNY."""
    DAY = "day"
    """A moment, as the day on which it falls where the programme is."""
    AMENDS = "amends"
    """The fact `points`, as a sentence that they were paid; nothing where there are none."""
    TICKET = "ticket"
    """The id of a ticket, as the API writes it: what `node` finds."""
    PRODUCT = "product"
    """The id of a product, as the API writes it: what `node` finds."""
    LEVEL = "level"
    """The code of a level, as the name of the level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationText:
    """The text of a kind. `{name}` stands for a fact; `link` is a path inside the client.

    `version` counts what staff published; 0 is the text that the programme came with.
    """

    title_zh: str
    title_en: str
    body_zh: str
    body_en: str
    link: str | None = None
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of notification. `facts` are those that its text may name, and how each is written."""

    group: KindGroup
    text: NotificationText
    facts: Mapping[str, Fact]


def _text(zh: tuple[str, str], en: tuple[str, str], link: str) -> NotificationText:
    return NotificationText(title_zh=zh[0], body_zh=zh[1], title_en=en[0], body_en=en[1], link=link)


_PARCEL: Final = {"order": Fact.PLAIN, "carrier": Fact.PLAIN, "number": Fact.PLAIN}
_TICKET: Final = {"ticket": Fact.TICKET, "number": Fact.PLAIN}
_LATE: Final = {**_TICKET, "points": Fact.PLAIN, "amends": Fact.AMENDS}


def _parcel(zh: tuple[str, str], en: tuple[str, str]) -> Kind:
    return Kind(group=KindGroup.ORDERS, text=_text(zh, en, "/orders"), facts=_PARCEL)


def _ticket(zh: tuple[str, str], en: tuple[str, str], facts: Mapping[str, Fact] = _TICKET) -> Kind:
    return Kind(group=KindGroup.SERVICE, text=_text(zh, en, "/tickets/{ticket}"), facts=facts)


KINDS: Final[Mapping[str, Kind]] = {
    "LEVEL_REACHED": Kind(
        group=KindGroup.LEVELS,
        text=_text(
            ("恭喜升级为{level}", "您已成为{level}，新的权益已经生效。"),
            ("You reached {level}", "You are {level} now, with all that comes with it."),
            "/levels",
        ),
        facts={"level": Fact.LEVEL},
    ),
    "LEVEL_LOWERED": Kind(
        group=KindGroup.LEVELS,
        text=_text(
            ("等级变为{level}", "您的会员等级已变为{level}。"),
            ("Your level is {level} now", "Your level has changed to {level}."),
            "/levels",
        ),
        facts={"level": Fact.LEVEL},
    ),
    "LEVEL_AT_RISK": Kind(
        group=KindGroup.LEVELS,
        text=_text(
            ("{level}即将到期", "您的{level}有效期至 {keep_until}，请及时保级。"),
            ("{level} is about to end", "Your level {level} is yours until {keep_until}."),
            "/levels",
        ),
        facts={"level": Fact.LEVEL, "keep_until": Fact.DAY, "falls_at": Fact.DAY},
    ),
    "POINTS_EXPIRING": Kind(
        group=KindGroup.POINTS,
        text=_text(
            ("{points} 积分即将过期", "您有 {points} 积分将于 {expires_at} 过期，请尽快使用。"),
            (
                "{points} points are about to expire",
                "{points} of your points expire on {expires_at}.",
            ),
            "/points",
        ),
        facts={"points": Fact.PLAIN, "expires_at": Fact.DAY},
    ),
    "PURCHASE_REFUNDED": Kind(
        group=KindGroup.ORDERS,
        text=_text(
            ("退款 {amount}", "已为您退款 {amount}，同时收回 {points_taken} 积分。"),
            (
                "You were refunded {amount}",
                "{amount} was given back to you; {points_taken} points went with it.",
            ),
            "/orders",
        ),
        facts={"amount": Fact.MONEY, "points_taken": Fact.PLAIN, "debt_after": Fact.PLAIN},
    ),
    "REDEMPTION_SHIPPED": Kind(
        group=KindGroup.REWARDS,
        text=_text(
            ("{title}已寄出", "您兑换的{title}已寄出。"),
            ("{title} was sent", "{title}, which you redeemed, is on its way."),
            "/redemptions",
        ),
        facts={"title": Fact.BY_LANGUAGE},
    ),
    "REDEMPTION_DELIVERED": Kind(
        group=KindGroup.REWARDS,
        text=_text(
            ("{title}已送达", "您兑换的{title}已送达。"),
            ("{title} arrived", "{title}, which you redeemed, has arrived."),
            "/redemptions",
        ),
        facts={"title": Fact.BY_LANGUAGE},
    ),
    "PRODUCT_INTRODUCED": Kind(
        group=KindGroup.NEWS,
        text=_text(
            ("{theme}上新：{title}", "您可能喜欢的{theme}新品：{title}。欢迎来看看。"),
            ("New in {theme}: {title}", "{title} is new, and you may like it. Have a look."),
            "/products/{product}",
        ),
        facts={"product": Fact.PRODUCT, "title": Fact.PLAIN, "theme": Fact.BY_LANGUAGE},
    ),
    "ORDER_SHIPPED": _parcel(
        ("订单已发货", "您的订单 {order} 已发货。{carrier} {number}"),
        ("Your order was sent", "Your order {order} is on its way. {carrier} {number}"),
    ),
    "ORDER_TRANSFERRED": _parcel(
        ("订单转运中", "您的订单 {order} 正在转运。{carrier} {number}"),
        ("Your order was passed on", "Your order {order} was passed on. {carrier} {number}"),
    ),
    "ORDER_OUT_FOR_DELIVERY": _parcel(
        ("订单派送中", "您的订单 {order} 正在派送。{carrier} {number}"),
        ("Your order comes today", "Your order {order} is out for delivery. {carrier} {number}"),
    ),
    "ORDER_DELIVERED": _parcel(
        ("订单已送达", "您的订单 {order} 已送达。"),
        ("Your order arrived", "Your order {order} has arrived."),
    ),
    "ORDER_DELIVERY_FAILED": _parcel(
        ("订单派送未成功", "您的订单 {order} 未能送达。{carrier} {number}"),
        (
            "Your order could not be delivered",
            "Your order {order} could not be delivered. {carrier} {number}",
        ),
    ),
    "TICKET_ANSWERED": _ticket(
        ("您的反馈 {number} 有新回复", "客服已回复您的反馈 {number}。"),
        ("{number} was answered", "We answered your message {number}."),
    ),
    "TICKET_ASKED": _ticket(
        ("您的反馈 {number} 等待您回复", "客服就您的反馈 {number} 有个问题，请您回复。"),
        ("A question about {number}", "We need your answer to go on with {number}."),
    ),
    "TICKET_RESOLVED": _ticket(
        ("您的反馈 {number} 已解决", "您的反馈 {number} 已处理完成，欢迎评价。"),
        ("{number} is resolved", "Your message {number} is resolved. Tell us how we did."),
    ),
    "TICKET_REOPENED": _ticket(
        ("您的反馈 {number} 重新处理中", "您的另一条反馈已并入 {number}，我们会继续处理。"),
        ("{number} is open again", "Another message of yours is part of {number} now: we go on."),
    ),
    "TICKET_ANSWER_LATE": _ticket(
        ("抱歉让您久等了", "您的反馈 {number} 未能按时回复，我们会尽快答复。{amends}"),
        ("We are late, and sorry", "We did not answer {number} in time; we will soon. {amends}"),
        _LATE,
    ),
    "TICKET_RESOLVE_LATE": _ticket(
        ("抱歉让您久等了", "您的反馈 {number} 未能按时解决，我们会尽快处理。{amends}"),
        (
            "We are late, and sorry",
            "We did not resolve {number} in time; we are still at it. {amends}",
        ),
        _LATE,
    ),
}
"""By name. A kind that does not stand here is told with `UNKNOWN`: nothing breaks by it."""

UNKNOWN: Final = Kind(
    group=KindGroup.SERVICE,
    text=NotificationText(title_zh="新消息", title_en="A message", body_zh="", body_en=""),
    facts={},
)


def kind_of(name: str) -> Kind:
    """The kind of this name; `UNKNOWN` for one that is not known here."""
    return KINDS.get(name, UNKNOWN)
