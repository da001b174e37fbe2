"""Everybody who may call: two members, shops, partners, staff of each role, and bad tokens.

Everything that belongs to member A says so by a mark, so that it is known again wherever it turns
up. B has the same without marks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain import (
    access,
    custody,
    games,
    ledger,
    members,
    notifications,
    purchases,
    rewards,
    tiers,
)
from domain.access import Caller, CallerKind, StaffRole
from domain.audit import Actor
from domain.games import Prize, PushRewards, RewardItem
from domain.ledger import Source
from domain.ledger.commands import TakeBack
from domain.notifications import QuietHours, SetNotificationPreferences
from domain.purchases import OrderNotice, OrderNoticeKind, ReceiptStatus, RecordOrderNotices
from domain.rewards import AddAddress, Place, ShipRedemption
from tests.domain.access.fixtures import OPERATOR
from tests.domain.games.arcade import open_campaign, open_partner
from tests.graphql.gateway import NOW, Gateway, Session, global_id, plain_id
from tests.graphql.matrix.complaining import complain, confirm_email, open_desk
from tests.graphql.matrix.learning import learn
from tests.graphql.orders import give_back, line, order, record, refund
from tests.graphql.perks import used
from tests.graphql.programme import CLERK, REWARDS, SHOP, open_account, perk_id
from tests.graphql.programme import PERKS as KNOWN
from tests.graphql.timelines import keep_timelines

MARK: Final = "MARKED-A"
BIRTHDAY: Final = "1987-06-05"
PHONE: Final = "+8613912345678"
EMAIL: Final = "q.person@post.example"

PROFILE: Final = {
    "nickname": f"{MARK} nickname",
    "avatarUrl": f"https://img.jifen.example/{MARK}.png",
    "birthday": BIRTHDAY,
    "gender": "other",
    "preferredChannel": f"{MARK}-channel",
}


PERKS: Final = tuple(
    replace(KNOWN[1], id=perk_id("silver", code), code=code, position=9, kind=kind, value=value)
    for code, kind, value in (
        ("fast", "FASTER_SHIPPING", "24"),
        ("service", "SERVICE_LEVEL", "PRIORITY"),
    )
)
"""Perks of the members' level that tell of themselves what no other does."""

EMPTY = {
    *("PurchaseLine.review", "Review.id", "Review.stars"),
    # Giving back a yuan leaves A points enough, and the level.
    *("RefundPreview.couponsRevoked", "RefundPreview.perksLost", "LostPerk.code"),
    "RefundPreview.perksReduced",
    *(f"ReducedPerk.{name}" for name in ("code", "before", "after")),
    *(f"PerkTerms.{name}" for name in ("kind", "value", "quota", "period")),
    *("Level.amount", "Level.purchases"),  # The levels of this programme ask for points.
    "Member.deletesAt",  # Who asked to be deleted may do little else.
}
"""What nothing fills in a member's life."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member with a life, and what is the member's alone."""

    session: Session
    openid: str
    order: str
    ticket: str

    @property
    def id(self) -> UUID:
        """The member's id."""
        return self.session.member

    def secrets(self) -> dict[str, bytes]:
        """What nobody else may be told, by name."""
        return {
            "mark": MARK.encode(),
            "birthday": BIRTHDAY.encode(),
            "phone": PHONE[-8:].encode(),
            "masked phone": b"****" + PHONE[-4:].encode(),
            "e-mail": EMAIL.partition("@")[2].encode(),
            "id": str(self.id).encode(),
            "global id": self.session.member_id.encode(),
            "openid": self.openid.encode(),
            "refresh token": self.session.refresh_token.encode(),
            "access token": self.session.access_token.encode(),
        }


@dataclass(frozen=True, slots=True)
class Somebody:
    """One caller: the token, whom it stands for, and what makes the token bad, if anything."""

    name: str
    token: str | None
    caller: Caller | None
    bad: str | None = None
    address: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Crowd:
    """The callers by name, and the two members among them."""

    gateway: Gateway
    a: Member
    b: Member
    callers: dict[str, Somebody]

    def __iter__(self) -> Iterator[Somebody]:
        return iter(self.callers.values())

    def ticket_for(self, somebody: Somebody) -> str:
        """The ticket to ask for. B asks for their own: to follow another's is refused."""
        return (self.b if somebody.name == "member B" else self.a).ticket

    async def spare_token(self, somebody: Somebody) -> str | None:
        """A token of the same caller that may be ended by what it is used for."""
        if somebody.name not in {"member A", "member B"}:
            return somebody.token
        assert somebody.caller is not None
        session = await members.open_session(
            somebody.caller.subject, app_id="wx0", tokens=self.gateway.tokens, now=NOW
        )
        return session.access_token


async def gather(gateway: Gateway) -> Crowd:
    """Make everybody."""
    await tiers.define_levels((), perks=PERKS, now=NOW)
    await open_desk()
    a = await _live(gateway, "alice", marked=True)
    b = await _live(gateway, "bob", marked=False)
    await _move_points(gateway, a, b)
    await learn(gateway)
    await keep_timelines(gateway)
    tokens = {
        "anonymous": None,
        "member A": a.session.access_token,
        "member B": b.session.access_token,
        "shop": await gateway.shop(),
        "partner P": await gateway.partner(),
        "partner Q": await _partner(gateway),
        **{f"staff {role}": await gateway.token_of(CLERK, role) for role in StaffRole},
    }
    callers = {
        name: Somebody(
            name=name,
            token=token,
            caller=None if token is None else gateway.tokens.verify(token, NOW),
            address=f"10.0.0.{number}",
        )
        for number, (name, token) in enumerate(tokens.items())
    }
    for bad, token in (
        ("expired", await _expired(gateway, a)),
        ("revoked", await _revoked(gateway, a)),
    ):
        name = f"member A, {bad}"
        callers[name] = Somebody(name, token, None, bad=bad, address="10.0.1.1")
    return Crowd(gateway=gateway, a=a, b=b, callers=callers)


async def _live(gateway: Gateway, name: str, *, marked: bool) -> Member:
    """A life that has something for every field: points that expire soon, a level, a coupon."""
    mark = MARK if marked else "plain"
    openid = f"{mark}-openid-{name}"
    session = await gateway.sign_in(openid, unionid=f"{mark}-unionid-{name}")
    token = session.access_token
    if marked:
        await gateway.send("UpdateProfile", token, input=PROFILE)
        await members.bind_phone(session.member, PHONE, now=NOW)
        await confirm_email(session, EMAIL)
    await gateway.send("SetInterests", token, input={"themes": ["tea"]})
    payload = await record(
        gateway,
        f"{mark}-batch-{name}",
        [
            order(
                f"{mark}-1",
                session.member_id,
                line("bag", 30_000),
                placedAt="2025-03-10T10:00:00+08:00",
            ),
            order(
                f"{mark}-2",
                session.member_id,
                line("tea", 168_000),
                # Among the newest of what the timeline has.
                placedAt=NOW.isoformat(),
                channel=f"{mark}-channel",
                shop=f"{mark} shop",
            ),
        ],
    )
    given_back = refund(f"{mark}-refund-{name}", f"{mark}-1", 100)
    await give_back(gateway, f"{mark}-refunds-{name}", given_back)
    await _be_told(gateway, session, mark)
    await _redeem(gateway, session, mark)
    await _be_served(gateway, session, mark)
    await _win(gateway, session, mark)
    await gateway.send("ExportMyData", token, input={"idempotencyKey": "export"})
    assert await custody.write_exports(files=gateway.files, now=gateway.clock.now) == 1
    order_id = payload["batch"]["receipts"][1]["orderId"]
    ticket = await complain(gateway, session, order_id=order_id, mark=mark)
    return Member(session, openid=gateway.named(openid), order=order_id, ticket=ticket)


async def _be_told(gateway: Gateway, session: Session, mark: str) -> None:
    """The member reads all that came so far, and wants quiet nights; an order is on its way."""
    token = session.access_token
    await gateway.send("MarkNotificationsRead", token, input={"allBefore": "2026-03-01T13:00:00Z"})
    night = QuietHours(from_minute=1_320, until_minute=450, zone=ZoneInfo("Asia/Shanghai"))
    await notifications.set_notification_preferences(
        SetNotificationPreferences(
            member_id=session.member, said={}, quiet={notifications.Channel.SMS: night}
        ),
        now=NOW,
    )
    sent = OrderNotice(
        external_id=f"{mark}-notice",
        order_external_id=f"{mark}-2",
        kind=OrderNoticeKind.SHIPPED,
        # Long ago, so that it is not the newest of what A's timeline begins with.
        at=NOW - timedelta(days=90),
        carrier=f"{mark} carrier",
        number=f"{mark} number",
    )
    pushed = RecordOrderNotices(
        source=gateway.named(SHOP), batch_id=f"{mark}-notices-{session.member}", notices=[sent]
    )
    batch = await purchases.record_order_notices(pushed, now=NOW)
    assert [one.status for one in batch.receipts] == [ReceiptStatus.APPLIED]


async def _be_served(gateway: Gateway, session: Session, mark: str) -> None:
    """The member agrees, looks at something, uses a perk; staff knows whom it has before it."""
    for purpose in ("behavior_tracking", "personalization"):
        agreed = {"purpose": purpose, "granted": True, "version": "1"}
        await gateway.send("SetConsent", session.access_token, input=agreed)
    await used(gateway, session, "silver", reference=f"{mark} table")
    seen = {"kind": "view", "theme": "tea", "at": NOW.isoformat(), "eventId": f"{mark}-event"}
    await gateway.send("TrackBehavior", session.access_token, input={"events": [seen]})
    who = members.ById(session.member)
    clerk = await access.find_account(CLERK)
    assert clerk is not None
    by = Actor(name=f"staff:{CLERK}", account_id=clerk.id, request_id="crowd")
    contact = members.ServiceContact(name=f"{mark} adviser", role="advice", channel="wecom")
    await members.set_service_contacts(who, [contact], by=by, now=NOW)
    note = members.AddMemberNote(
        member=who, text=f"{mark} note", idempotency_key=f"{mark}-{session.member}"
    )
    await members.add_member_note(note, by=by, now=NOW)


async def _win(gateway: Gateway, session: Session, mark: str) -> None:
    """A prize that was drawn on the platform of a partner who is none of the callers."""
    partner = await open_partner(gateway.named("wheel-park"))
    campaign = await open_campaign(partner.code, draws_prizes=True)
    tea = Prize(code="tea", title_zh="茶", title_en="Tea", count=9, odds_ppm=50_000)
    await games.freeze_disclosure(campaign.id, [tea], by=OPERATOR, now=NOW)
    # Long ago, so that it is not the newest of what A's timeline begins with.
    long_ago = NOW - timedelta(days=90)
    await games.bind_member(partner.account_id, session.member, now=long_ago)
    won = RewardItem(
        external_id=f"{mark}-spin",
        member=members.ById(session.member),
        campaign=str(campaign.id),
        campaign_id=campaign.id,
        points=3,
        occurred_at=NOW,
        prize_code="tea",
        disclosure_version="1",
    )
    command = PushRewards(partner=partner, batch_id=f"{mark}-won", items=[won])
    batch = await games.push_rewards(command, keys=gateway.tokens.keys, now=NOW)
    assert batch.counts.applied == 1


async def _move_points(gateway: Gateway, a: Member, b: Member) -> None:
    """A gives some away with a note, and loses some of what the first order earned."""
    given = {
        "toMember": {"id": b.session.member_id},
        "points": 5,
        "note": "plain note",
        "idempotencyKey": "gift",
    }
    await gateway.send("TransferPoints", a.session.access_token, input=given)
    refund = Source(kind="refund", reference=f"{MARK}-refund")
    taken = TakeBack(member_id=a.id, entry_seq=1, points=1, source=refund, reason=f"{MARK} reason")
    await ledger.post_one(taken, now=NOW)


async def _redeem(gateway: Gateway, session: Session, mark: str) -> None:
    """Coupons, a gift that has arrived, and one that nobody has said where to send."""
    token = session.access_token
    home = await rewards.add_address(
        AddAddress(
            member_id=session.member,
            place=Place(
                recipient=f"{mark} recipient",
                phone="+8613800138000",
                region=f"{mark} region",
                street=f"{mark} street",
                postcode="200040",
            ),
            idempotency_key="home",
        ),
        now=NOW,
    )
    for reward in REWARDS:
        if reward.code in {"seat", "gone"}:
            continue
        given = {
            "rewardId": global_id("Reward", reward.id),
            "addressId": global_id("Address", home.key) if reward.code == "box" else None,
            "idempotencyKey": reward.code,
        }
        answer = await gateway.send("RedeemReward", token, input=given)
        assert answer["userErrors"] == [], answer
        if reward.code == "box":
            key = plain_id(answer["redemption"]["id"]).rpartition(":")[2]
            await _arrived(session.member, UUID(key), mark)


async def _arrived(member_id: UUID, redemption_id: UUID, mark: str) -> None:
    sent = ShipRedemption(
        member_id=member_id, redemption_id=redemption_id, carrier=f"{mark} carrier", number="SF1"
    )
    await rewards.ship_redemption(sent, by=OPERATOR, now=NOW)
    await rewards.deliver_redemption(member_id, redemption_id=redemption_id, by=OPERATOR, now=NOW)


async def _partner(gateway: Gateway) -> str:
    code = gateway.named("other-games")
    await open_account(CallerKind.PARTNER, code, "rewards:write", "rewards:read", now=NOW)
    return await gateway.token_of(code)


async def _expired(gateway: Gateway, member: Member) -> str:
    known = gateway.tokens.verify(member.session.access_token, NOW)
    token, _ = gateway.tokens.issue(
        CallerKind.MEMBER, member.id, session_id=known.session_id, now=NOW - timedelta(hours=1)
    )
    return token


async def _revoked(gateway: Gateway, member: Member) -> str:
    session = await members.open_session(member.id, app_id="wx0", tokens=gateway.tokens, now=NOW)
    caller = gateway.tokens.verify(session.access_token, NOW)
    await members.sign_out(caller, everywhere=False, now=NOW)
    return session.access_token
