"""A person of whom everything that can be said has been said, in words that stand nowhere else.

Whatever the programme lets a person write, or others write about them, is written here through the
doors of the gateway, with the canary in it. An erasure must leave nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from api.fake_wechat import DEMO_APP_ID
from api.workers.timelines import TELLING
from domain import feedback
from domain.errors import DefinitionChanged
from domain.idempotency import digests
from domain.members import Told, timeline_consumer
from domain.notifications import Notification, notify
from domain.outbox import Announced, Consumer, DeliveryLimits, drain
from domain.storage import dialect, fetch_all, transaction
from tests.domain.access.fixtures import OPERATOR
from tests.graphql.gateway import Gateway, Session
from tests.graphql.kept import TABLES
from tests.graphql.orders import applied, order, record
from tests.graphql.perks import use
from tests.graphql.points import earn, held
from tests.graphql.redeeming import end, keep, redeem, reserve
from tests.graphql.uploading import upload

WORD: Final = "qz7canary"
BIRTHDAY: Final = "1987-06-05"
PHONE: Final = "18712340077"
PHONE_DIGESTS: Final = (
    digests({"member": ["ByPhone", f"+86{PHONE}"]})["member"],
    digests({"phone": f"+86{PHONE}"})["phone"],
)
"""What whoever has the database alone could make of each phone number that there is."""

TRACES: Final = (WORD, BIRTHDAY, PHONE, *PHONE_DIGESTS)

PLACE: Final = ("recipient", "phone", "region", "street", "postcode")

PLANTED: Final = {
    "account_deletion.reason",
    "attachment.name",
    "behavior_event.kind",
    "coupon.order_reference",
    "idempotency.digests",
    "member.avatar_url",
    "member.birthday",
    "member.nickname",
    "member.preferred_channel",
    *(f"member_address.{name}" for name in PLACE),
    "member_identity.subject",
    "member_note.text",
    "notification.facts",
    "outbox.payload",
    "outbox_parked.detail",
    "outbox_parked.payload",
    "perk_use.cancel_reason",
    "perk_use.reference",
    "points_adjustment.reason",
    "points_entry_text.note",
    "points_entry_text.reason",
    "points_entry_text.reference",
    "points_hold.reference",
    "points_hold_reference.reference",
    *(f"redemption.{name}" for name in (*PLACE, "carrier", "tracking_number")),
    "service_contact.channel",
    "service_contact.name",
    "service_contact.role",
    "ticket_message.text",
    "timeline_item.facts",
}
"""Where it is found before the erasure: a place that is not filled proves nothing of it. The number
that was bound is sealed, so it is found with addresses alone."""


async def live(gateway: Gateway, bob: Session, phone: str = PHONE) -> Session:
    """The person's life; `bob` is another, who keeps what is his."""
    code = await gateway.login(f"o-{WORD}", unionid=f"u-{WORD}")
    given = {"appId": DEMO_APP_ID, "code": code, "inviteCode": f"i-{WORD}"}
    signed_in = (await gateway.send("SignInWithWeChat", input=given))["session"]
    person = await gateway.sign_in(f"o-{WORD}", unionid=f"u-{WORD}")
    assert person.member_id == signed_in["member"]["id"]
    await _says_much(gateway, person, phone)
    await earn(gateway, person, 1_200)
    gift = {
        "toMember": {"id": bob.member_id},
        "points": 100,
        "note": f"from {WORD}",
        "idempotencyKey": "gift",
    }
    await done(gateway, "transferPoints", person.access_token, gift)
    by_phone = {"phone": f"+86{phone}"}
    bought = order(f"cup-{person.member}", person.member_id, member=by_phone)
    assert len(applied(await record(gateway, f"cup-{person.member}", [bought]))) == 1
    await held(gateway, person, 30, reference=f"{WORD}-{person.member}", member=by_phone)
    await _is_written_about(gateway, person, phone)
    await _spends_points(gateway, person, phone)
    await _uses_a_perk(gateway, person)
    await _complains(gateway, person)
    leaving = {"reason": f"{WORD} leaves", "idempotencyKey": "leave"}
    await done(gateway, "requestAccountDeletion", person.access_token, leaving)
    await _is_told_of(gateway, person)
    return person


async def _is_told_of(gateway: Gateway, person: Session) -> None:
    """What contexts that are to come may tell of a person, and what a consumer failed at."""

    def tell(event: Announced) -> Told:
        told = TELLING["MemberJoined"](event)
        assert told is not None
        if event.member_id != person.member:
            return told
        return replace(told, facts={**told.facts, "by": f"friend {WORD}"})

    async def fail(events: Sequence[Announced]) -> None:
        if person.member in {event.member_id for event in events}:
            raise ValueError(f"{WORD} cannot be told")

    consumers = (
        timeline_consumer({**TELLING, "MemberJoined": tell}),
        Consumer("broken", frozenset({"MemberJoined"}), fail),
    )
    limits = DeliveryLimits(tries_max=1)
    await drain(consumers, clock=gateway.clock.now, limits=limits)
    facts = {"from": f"a friend, {WORD}"}
    inbox = [Notification(member_id=person.member, kind="GREETING", facts=facts)]
    await transaction(partial(notify, inbox, now=gateway.clock.now()))


async def _says_much(gateway: Gateway, person: Session, phone: str) -> None:
    token = person.access_token
    profile = {
        "nickname": f"昵称 {WORD}",
        "avatarUrl": f"https://img.jifen.example/{WORD}.png",
        "birthday": BIRTHDAY,
        "gender": "female",
        "preferredChannel": WORD,
    }
    await done(gateway, "updateProfile", token, profile)
    await done(gateway, "setInterests", token, {"themes": ["tea"]})
    code = await gateway.phone.phone(phone=phone)
    await done(gateway, "bindPhone", token, {"appId": DEMO_APP_ID, "code": code})
    agreed = {"purpose": "behavior_tracking", "granted": True, "version": "1"}
    await done(gateway, "setConsent", token, agreed)
    looked = {"kind": WORD, "theme": "tea", "at": "2026-03-01T11:00:00Z", "eventId": f"e-{WORD}"}
    await done(gateway, "trackBehavior", token, {"events": [looked]})


async def _spends_points(gateway: Gateway, person: Session, phone: str) -> None:
    """A gift that is sent to the person's home, and a coupon for an order that names the person."""
    said = {name: f"{WORD} {name}" for name in ("recipient", "region", "street")}
    home = await keep(gateway, person, **said, postcode=WORD, phone=f"+86{phone}")
    gift = await redeem(gateway, person, "gift", addressId=home)
    parcel = {"redemptionId": gift["id"], "carrier": f"c {WORD}", "number": f"n {WORD}"}
    await done(gateway, "shipRedemption", await gateway.staff(), parcel)
    [coupon] = (await redeem(gateway, person, "coupon"))["coupons"]
    name = gateway.named(f"order of {WORD}")
    key: dict[str, Any] = {"idempotencyKey": gateway.named("till")}
    reserved = await reserve(gateway, coupon["code"], name, **key)
    assert reserved["coupon"]["status"] == "RESERVED"
    used = await end(gateway, "Confirm", coupon["code"], name, **key)
    assert used["coupon"]["status"] == "USED"


async def _uses_a_perk(gateway: Gateway, person: Session) -> None:
    """For a table that names the person; and staff says why it is given back."""
    used = await use(gateway, person, "silver", reference=f"table of {WORD}")
    assert used["userErrors"] == []
    back = {"useId": used["use"]["id"], "reason": f"{WORD} was late"}
    await done(gateway, "cancelPerkUse", await gateway.staff(), back)


async def _complains(gateway: Gateway, person: Session) -> None:
    """A picture shows of what; staff answers by name, and the person says how that was."""
    topic = feedback.Topic(code="cups", name_zh="杯子", name_en="Cups")
    with suppress(DefinitionChanged):
        await feedback.define_topic(topic, by=OPERATOR, now=gateway.clock.now())
    picture = await upload(gateway, token=person.access_token, name=f"cup of {WORD}.jpg")
    given = {
        "kind": "COMPLAINT",
        "topic": "cups",
        "text": f"This is {WORD}: it broke.",
        "attachmentIds": [picture.json()["id"]],
        "idempotencyKey": "broken",
    }
    filed = await gateway.send("SubmitFeedback", token=person.access_token, input=given)
    ticket = {"ticketId": filed["ticket"]["id"]}
    answer = {**ticket, "text": f"We are sorry, {WORD}.", "idempotencyKey": gateway.named("sorry")}
    await done(gateway, "answerTicket", await gateway.staff(), answer)
    rating = {**ticket, "experience": 4, "expectation": 5, "text": f"{WORD} liked it"}
    await done(gateway, "rateTicket", person.access_token, rating)


async def _is_written_about(gateway: Gateway, person: Session, phone: str) -> None:
    clerk, member = await gateway.staff(), {"id": person.member_id}
    correction = {
        "member": {"phone": f"+86{phone}"},
        "points": 5,
        "reason": f"she is {WORD}",
        "idempotencyKey": gateway.named("adjust"),
    }
    await done(gateway, "adjustPoints", clerk, correction)
    note = {
        "member": member,
        "text": f"{WORD} likes quiet tables",
        "idempotencyKey": gateway.named("note"),
    }
    await done(gateway, "addMemberNote", clerk, note)
    contact = {"name": f"n {WORD}", "role": f"r {WORD}", "channel": WORD}
    await done(gateway, "setServiceContacts", clerk, {"member": member, "contacts": [contact]})


async def done(gateway: Gateway, name: str, token: str, given: dict[str, Any]) -> None:
    """Send a mutation that is not refused."""
    kind = f"{name[0].upper()}{name[1:]}Input"
    document = (
        f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ userErrors {{ code field }} }} }}"
    )
    answer = (await gateway.ask(document, {"input": given}, token=token)).json()
    assert answer == {"data": {name: {"userErrors": []}}}, answer


async def told_of(member_id: UUID, gateway: Gateway) -> list[tuple[str, Any]]:
    """What whoever keeps something of them elsewhere, as a partner does, hears from now on."""
    told: list[tuple[str, Any]] = []

    async def hear(events: Sequence[Announced]) -> None:
        told.extend((one.kind, one.facts) for one in events if one.member_id == member_id)

    await drain([Consumer("partner", KINDS, hear)], clock=gateway.clock.now)
    return told


KINDS = frozenset({"ConsentChanged", "MemberErased", "MemberJoined", "ProfileUpdated"})


async def found(*traces: str) -> set[str]:
    """The columns, `table.column`, in which one of the traces stands, over all tables."""
    tables = [row["name"] for row in await fetch_all(TABLES[dialect()])]
    assert len(tables) > 40, tables
    return {
        f"{table}.{column}"
        for table in tables
        for row in await fetch_all(f"SELECT * FROM {table}")
        for column, value in dict(row).items()
        if any(trace in text(value) for trace in traces)
    }


def text(value: object) -> str:
    """A value as it can be searched: bytes both as they are and in hex."""
    if isinstance(value, bytes | memoryview):
        return f"{bytes(value).decode('latin-1')} {bytes(value).hex()}"
    return str(value)


def files_with(folders: Iterable[Path], *traces: str) -> tuple[int, set[str]]:
    """How many files there are in the folders, and the names of those that hold a trace."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return len(files), {
        path.name
        for path in files
        for content in [path.read_bytes()]
        if any(trace.encode() in content for trace in traces)
    }
