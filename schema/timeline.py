"""The timeline: what happened in a member's life, told in a line each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import strawberry

from domain.access import StaffRole
from resolvers.context import Language
from resolvers.timeline import TimelineRecord
from schema.connections import KeysetList
from schema.fields import Info, computed, object_type, view
from schema.node import encode_global_id
from schema.policies import OWNER, staff
from schema.texts import Text

TIMELINE = KeysetList("timeline", (datetime, UUID))
SEES_TIMELINES = staff(StaffRole.SUPPORT)

TITLES: Final[Mapping[str, Text]] = {
    "JOINED": Text(zh="成为会员", en="Became a member"),
    "CONSENT_GRANTED": Text(zh="同意授权：{purpose}", en="Agreed to {purpose}"),
    "CONSENT_WITHDRAWN": Text(zh="撤回授权：{purpose}", en="No longer agrees to {purpose}"),
    "PURCHASE": Text(zh="消费 {paid}{shop}", en="Bought for {paid}{shop}"),
    "PURCHASE_REFUNDED": Text(zh="退款 {amount}{shop}", en="Was refunded {amount}{shop}"),
    "ORDER_SHIPPED": Text(zh="订单 {order} 已发货", en="Order {order} was sent"),
    "ORDER_TRANSFERRED": Text(zh="订单 {order} 转运中", en="Order {order} was passed on"),
    "ORDER_OUT_FOR_DELIVERY": Text(zh="订单 {order} 派送中", en="Order {order} is being brought"),
    "ORDER_DELIVERED": Text(zh="订单 {order} 已送达", en="Order {order} arrived"),
    "ORDER_DELIVERY_FAILED": Text(
        zh="订单 {order} 派送未成功", en="Order {order} could not be delivered"
    ),
    "POINTS_EARN": Text(zh="获得 {points} 积分", en="Earned {points} points"),
    "POINTS_REDEEM": Text(zh="使用 {points} 积分", en="Spent {points} points"),
    "POINTS_CAPTURE": Text(zh="支付 {points} 积分", en="Paid with {points} points"),
    "POINTS_EXPIRE": Text(zh="{points} 积分过期", en="{points} points expired"),
    "POINTS_REVERSAL": Text(zh="积分撤销 {change}", en="Points undone: {change}"),
    "POINTS_TRANSFER_IN": Text(zh="收到 {points} 积分", en="Was given {points} points"),
    "POINTS_TRANSFER_OUT": Text(zh="转赠 {points} 积分", en="Gave {points} points away"),
    "POINTS_ADJUST": Text(zh="积分调整 {change}", en="Points corrected: {change}"),
    "LEVEL_CHANGED": Text(zh="等级变为{level}", en="Level is now {level}"),
    "REWARD_REDEEMED": Text(zh="兑换{title}{count}", en="Redeemed {title}{count}"),
    "REDEMPTION_SHIPPED": Text(zh="{title}已寄出", en="{title} was sent"),
    "REDEMPTION_DELIVERED": Text(zh="{title}已送达", en="{title} arrived"),
    "REDEMPTION_CANCELLED": Text(zh="取消兑换{title}", en="Took back {title}"),
    "COUPON_USED": Text(zh="使用优惠券：{title}", en="Used a coupon: {title}"),
    "PERK_USED": Text(zh="使用权益：{title}", en="Used a perk: {title}"),
    "PERK_USE_CANCELLED": Text(zh="退还权益：{title}", en="Was given a perk back: {title}"),
    "GAME_BOUND": Text(zh="授权互动平台：{title}", en="Allowed {title} to give points"),
    "GAME_UNBOUND": Text(zh="解除互动平台授权：{title}", en="No longer allows {title}"),
    "TICKET_SUBMITTED": Text(zh="提交反馈 {number}", en="Wrote to us: {number}"),
    "TICKET_ANSWERED": Text(zh="反馈 {number} 已回复", en="{number} was answered"),
    "TICKET_ASKED": Text(zh="反馈 {number} 待补充", en="{number}: we asked for more"),
    "TICKET_RESOLVED": Text(zh="反馈 {number} 已解决", en="{number} was resolved"),
    "TICKET_REOPENED": Text(zh="反馈 {number} 已重新打开", en="{number} was opened again"),
    "TICKET_ANSWER_MISSED": Text(
        zh="反馈 {number} 未及时回复", en="{number} was not answered in time"
    ),
    "TICKET_RESOLVE_MISSED": Text(
        zh="反馈 {number} 未及时解决", en="{number} was not resolved in time"
    ),
    "NOTE_ADDED": Text(zh="员工备注", en="Staff wrote a note"),
}
"""What each kind is called; a test holds that none is missing. A context that tells a new kind
adds its title here."""


@object_type(policy=OWNER | SEES_TIMELINES)
class TimelineItem:
    """Something that happened in a member's life."""

    @computed(OWNER | SEES_TIMELINES)
    def id(self) -> strawberry.ID:
        """The id of the item."""
        return encode_global_id("TimelineItem", _record(self).item.key)

    @computed(OWNER | SEES_TIMELINES)
    def kind(self) -> str:
        """What it was, for example `PURCHASE` or `LEVEL_CHANGED`; further kinds may come."""
        return _record(self).item.kind

    @computed(OWNER | SEES_TIMELINES)
    def title(self, info: Info) -> str:
        """What it was, in a line for people."""
        return title_of(_record(self), info.context.language)

    @computed(OWNER | SEES_TIMELINES)
    def occurred_at(self) -> datetime:
        """When it was."""
        return _record(self).item.occurred_at

    @computed(OWNER | SEES_TIMELINES)
    def channel(self) -> str | None:
        """The code of the channel by which it came; null where there is none."""
        return _record(self).item.channel


def title_of(record: TimelineRecord, language: Language) -> str:
    """The title of an item; of a kind that is not known here, the kind itself."""
    facts = record.item.facts
    text = TITLES.get(record.item.kind)
    if text is None:
        return record.item.kind
    template: str = getattr(text, language)
    words: dict[str, object] = dict(facts)
    if "points" in facts:
        words |= {"points": abs(facts["points"]), "change": f"{facts['points']:+}"}
    for name, called in (("paid_fen", "paid"), ("amount_fen", "amount")):
        if name in facts:
            yuan, fen = divmod(facts[name], 100)
            words[called] = f"{yuan}.{fen:02} {facts['currency']}"
            words["shop"] = f" · {facts['shop']}" if facts["shop"] else ""
    if "to" in facts:
        level = record.levels.get(facts["to"])
        words["level"] = facts["to"] if level is None else getattr(level, f"name_{language}")
    if "title_zh" in facts:
        words["title"] = facts[f"title_{language}"]
        words["count"] = f" ×{facts['quantity']}" if facts.get("quantity", 1) > 1 else ""
    return template.format_map(words)


def _record(value: object) -> TimelineRecord:
    record: TimelineRecord = view(value)
    return record
