"""Allowing a partner: a consent of its own, a token for the game's page, a name for the partner."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import pytest_asyncio

from domain import custody, games, outbox
from domain.errors import InvalidInput
from domain.games import ChangePartner, binding_consumer
from domain.members import has_consented
from domain.outbox import Consumer
from domain.storage import fetch_all
from tests.graphql.gateway import NOW, Gateway, Session
from tests.graphql.joining import merged, undone
from tests.graphql.kept import changed, everything_kept
from tests.graphql.operations import operation
from tests.graphql.partners import take_in
from tests.graphql.test_push_rewards import CLERK, Fair, open_fair

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def fair(gateway: Gateway) -> Fair:
    return await open_fair(gateway)


async def allow(
    fair: Fair, member: Session, key: str = "k1", code: str | None = None, *, consent: bool = True
) -> Any:
    """The payload of `createGameBinding`."""
    code = fair.platform.code if code is None else code
    given = {"partnerCode": code, "consent": consent, "idempotencyKey": key}
    return await fair.gateway.send("CreateGameBinding", member.access_token, input=given)


async def leave(fair: Fair, member: Session, key: str = "k1", code: str | None = None) -> Any:
    """The payload of `removeGameBinding`."""
    given = {"partnerCode": code or fair.platform.code, "idempotencyKey": key}
    return await fair.gateway.send("RemoveGameBinding", member.access_token, input=given)


async def exchange(fair: Fair, token: str) -> Any:
    """The payload of `exchangeBindToken`, asked by this partner."""
    response = await fair.platform.push(
        operation("ExchangeBindToken"), {"input": {"bindToken": token}}
    )
    body = response.json()
    assert "errors" not in body, body
    return body["data"]["exchangeBindToken"]


async def refused(fair: Fair, token: str) -> bool:
    """Whether the token is refused as none of this partner's."""
    payload = await exchange(fair, token)
    assert payload["memberRef"] is None
    [error] = payload["userErrors"]
    assert (error["code"], error["message"]) == (
        "BIND_TOKEN_INVALID",
        "绑定凭证无效、已使用或已过期",
    )
    return True


async def bindings(fair: Fair, member: Session) -> list[Any]:
    response = await fair.gateway.ask(operation("Games"), token=member.access_token)
    return list(response.json()["data"]["me"]["gameBindings"])


async def unbound(member: Session) -> list[Any]:
    """The facts of the events that told of an end."""
    rows = await fetch_all(
        "SELECT payload FROM outbox WHERE member_id = $1 AND kind = 'MemberUnbound' ORDER BY seq",
        member.member,
    )
    return [orjson.loads(row["payload"]) for row in rows]


def codes(payload: Any) -> list[str]:
    return [one["code"] for one in payload["userErrors"]]


async def test_a_partner_learns_its_own_name_of_a_member_who_allows_it(fair: Fair) -> None:
    bob = await fair.gateway.sign_in("o-bob")
    before = await everything_kept()
    payload = await allow(fair, bob)
    host = {"code": fair.platform.code, "name": "转盘乐园"}
    token = payload["binding"].pop("bindToken")
    assert payload == {
        "binding": {"partner": host, "expiresAt": "2026-03-01T12:10:00Z"},
        "userErrors": [],
    }
    kept = await everything_kept()
    assert changed(before, kept) == {
        *("game_binding", "game_bind_token", "member_consent"),
        *("idempotency", "outbox", "outbox_stream"),
    }
    # Nobody who reads the database can be the game's page, or finds out what it was given.
    assert token not in str(kept)
    assert await has_consented(bob.member, f"partner:{fair.platform.code}")
    assert await bindings(fair, bob) == [{"partner": host, "boundAt": "2026-03-01T12:00:00Z"}]

    payload = await exchange(fair, token)
    ref = payload["memberRef"]
    assert payload == {"memberRef": ref, "userErrors": []}
    item = fair.item("a", 7, member={"memberRef": ref})
    assert (await fair.push("b1", item))["batch"]["counts"]["applied"] == 1
    assert await refused(fair, token), "it was exchanged"

    # Another token leads to the same name; another partner's to another.
    again = (await allow(fair, bob, "k2"))["binding"]["bindToken"]
    assert again != token
    assert (await exchange(fair, again))["memberRef"] == ref
    other = await open_fair(fair.gateway, "other")
    theirs = (await allow(other, bob, "k3"))["binding"]["bindToken"]
    assert await refused(fair, theirs)
    elsewhere = (await exchange(other, theirs))["memberRef"]
    assert elsewhere != ref
    assert len(await bindings(fair, bob)) == 2
    batch = (await fair.push("b2", fair.item("b", member={"memberRef": elsewhere})))["batch"]
    assert batch["receipts"][0]["code"] == "MEMBER_NOT_FOUND"


async def test_a_token_names_its_member_until_it_is_exchanged(fair: Fair) -> None:
    bob = await fair.gateway.sign_in("o-bob")
    token = (await allow(fair, bob))["binding"]["bindToken"]
    named = {"bindToken": token}
    other = await open_fair(fair.gateway, "other")
    items = [fair.item("a", 3, member=named), fair.item("b", 4, member=named)]
    assert (await fair.push("b1", *items))["batch"]["counts"]["applied"] == 2
    theirs = (await other.push("b1", other.item("a", member=named)))["batch"]
    assert theirs["receipts"][0]["code"] == "MEMBER_NOT_FOUND"
    await exchange(fair, token)
    late = (await fair.push("b2", fair.item("c", member=named), items[0]))["batch"]
    assert [one["code"] for one in late["receipts"]] == ["MEMBER_NOT_FOUND", None]
    assert late["receipts"][1]["status"] == "DUPLICATE"


async def test_the_same_key_gives_the_same_token(fair: Fair) -> None:
    bob = await fair.gateway.sign_in("o-bob")
    first = await allow(fair, bob)
    before = await everything_kept()
    fair.gateway.clock.advance(minutes=11)
    assert await allow(fair, bob) == first
    for code, consent in ((fair.platform.code, False), ("nobody", True)):
        assert codes(await allow(fair, bob, code=code, consent=consent)) == ["IDEMPOTENCY_CONFLICT"]
    assert await refused(fair, first["binding"]["bindToken"]), "it has expired"
    assert await everything_kept() == before


@pytest.mark.parametrize("seconds", [599, 600])
async def test_a_token_lives_for_ten_minutes(fair: Fair, seconds: int) -> None:
    bob = await fair.gateway.sign_in("o-bob")
    token = (await allow(fair, bob))["binding"]["bindToken"]
    fair.gateway.clock.advance(seconds=seconds)
    if seconds == 600:
        assert await refused(fair, token)
    else:
        assert (await exchange(fair, token))["memberRef"].startswith("gm_")


async def test_what_is_no_token_is_refused_alike_and_changes_nothing(fair: Fair) -> None:
    await fair.platform.token()
    before = await everything_kept()
    for token in ("", "x", "gbt_" + "A" * 43, "é" * 65, "a\nb"):
        assert await refused(fair, token)
    assert await everything_kept() == before


async def test_who_does_not_agree_is_not_bound(fair: Fair) -> None:
    gateway = fair.gateway
    bob = await gateway.sign_in("o-bob")
    idle = await open_fair(gateway, "idle")
    await games.disable_partner(idle.platform.code, by=CLERK, now=NOW)
    before = await everything_kept()
    cases = (
        (fair.platform.code, False, "CONSENT_REQUIRED"),
        ("nobody", True, "PARTNER_UNKNOWN"),
        ("", True, "PARTNER_UNKNOWN"),
        (idle.platform.code, True, "PARTNER_UNKNOWN"),
        # A shop is no partner.
        (gateway.named("shop"), True, "PARTNER_UNKNOWN"),
    )
    for code, consent, refusal in cases:
        payload = await allow(fair, bob, code=code, consent=consent)
        assert (payload["binding"], codes(payload)) == (None, [refusal])
    assert codes(await allow(fair, bob, key="")) == ["INVALID_INPUT"]
    assert codes(await leave(fair, bob, code="nobody")) == ["PARTNER_UNKNOWN"]
    assert await everything_kept() == before


async def test_who_tries_things_out_has_the_members_whom_staff_gave_it(gateway: Gateway) -> None:
    platform = await take_in(gateway, "tries", sandbox=True)
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")

    async def ask(member: Session, key: str) -> Any:
        given = {"partnerCode": platform.code, "consent": True, "idempotencyKey": key}
        return await gateway.send("CreateGameBinding", member.access_token, input=given)

    await games.bind_sandbox_member(platform.code, alice.member, by=CLERK, now=NOW)
    before = await everything_kept()
    assert codes(await ask(bob, "k1")) == ["PARTNER_UNKNOWN"]
    assert await everything_kept() == before
    token = (await ask(alice, "k1"))["binding"]["bindToken"]
    answer = await platform.push(operation("ExchangeBindToken"), {"input": {"bindToken": token}})
    assert answer.json()["data"]["exchangeBindToken"]["memberRef"].startswith("gm_")
    # They leave and come back as with any other.
    left = {"partnerCode": platform.code, "idempotencyKey": "k2"}
    assert (await gateway.send("RemoveGameBinding", alice.access_token, input=left))["removed"]
    assert codes(await ask(alice, "k3")) == []

    change = ChangePartner(code=platform.code, version=1, changes={"sandbox": False})
    await games.change_partner(change, by=CLERK, now=NOW)
    assert codes(await ask(bob, "k2")) == []
    change = ChangePartner(code=platform.code, version=2, changes={"sandbox": True})
    with pytest.raises(InvalidInput) as refusal:
        await games.change_partner(change, by=CLERK, now=NOW)
    assert refusal.value.field == ("sandbox",)
    with pytest.raises(InvalidInput):
        await games.bind_sandbox_member(platform.code, bob.member, by=CLERK, now=NOW)


async def test_who_takes_it_back_is_rewarded_no_more(fair: Fair) -> None:
    gateway, code = fair.gateway, fair.platform.code
    bob = await gateway.sign_in("o-bob")
    ref = (await exchange(fair, (await allow(fair, bob))["binding"]["bindToken"]))["memberRef"]
    unused = (await allow(fair, bob, "k2"))["binding"]["bindToken"]
    named = {"memberRef": ref}
    await fair.push("b1", fair.item("a", 7, member=named))

    gateway.clock.advance(seconds=60)
    assert await leave(fair, bob) == {"removed": True, "userErrors": []}
    assert await bindings(fair, bob) == []
    assert not await has_consented(bob.member, f"partner:{code}")
    assert await refused(fair, unused), "its binding has ended"
    [facts] = await unbound(bob)
    assert facts == {
        "partner_id": str(fair.platform.partner.account_id),
        "partner": code,
        "title_zh": "转盘乐园",
        "title_en": "Wheel Park",
        "member_ref": ref,
        "because": "member",
    }
    back = fair.item("r", 7, member=named, kind="REVERSAL", reversesExternalId="a")
    batch = (await fair.push("b2", fair.item("b", member=named), back))["batch"]
    assert [one["code"] for one in batch["receipts"]] == ["NOT_BOUND", None]
    assert batch["receipts"][1]["status"] == "APPLIED"

    # The same key again is that answer; another finds nothing to take back.
    before = await everything_kept()
    assert await leave(fair, bob) == {"removed": True, "userErrors": []}
    assert await everything_kept() == before
    assert (await leave(fair, bob, "k9"))["removed"] is False
    assert len(await unbound(bob)) == 1

    # Whoever comes back is known by the same name, and what was tried before may be sent again.
    token = (await allow(fair, bob, "k3"))["binding"]["bindToken"]
    assert (await exchange(fair, token))["memberRef"] == ref
    [found] = await bindings(fair, bob)
    assert found["boundAt"] == "2026-03-01T12:01:00Z"
    assert (await leave(fair, bob))["removed"] is True, "the old key takes nothing back now"
    assert len(await bindings(fair, bob)) == 1
    batch = (await fair.push("b3", fair.item("b", member=named)))["batch"]
    assert batch["receipts"][0]["status"] == "APPLIED"


async def test_withdrawing_the_consent_ends_the_binding_at_once(fair: Fair) -> None:
    bob = await fair.gateway.sign_in("o-bob")
    await allow(fair, bob)
    other = await open_fair(fair.gateway, "other")
    await allow(other, bob, "k2")
    given = {"purpose": f"partner:{fair.platform.code}", "granted": False, "version": ""}
    await fair.gateway.send("SetConsent", bob.access_token, input=given)
    [left] = await bindings(fair, bob)
    assert left["partner"]["code"] == other.platform.code
    [facts] = await unbound(bob)
    assert (facts["partner"], facts["because"]) == (fair.platform.code, "consent")
    # Agreeing again by itself allows nobody.
    given |= {"granted": True, "version": "1"}
    await fair.gateway.send("SetConsent", bob.access_token, input=given)
    assert len(await bindings(fair, bob)) == 1


async def test_bindings_follow_their_member_and_return(fair: Fair) -> None:
    gateway = fair.gateway
    bob, carol = await gateway.sign_in("o-bob"), await gateway.sign_in("o-carol")
    mine = (await exchange(fair, (await allow(fair, bob))["binding"]["bindToken"]))["memberRef"]
    token = (await allow(fair, carol))["binding"]["bindToken"]
    merge = (await merged(gateway, {"id": bob.member_id}, {"id": carol.member_id}))["merge"]
    # One partner, once; the token that was under way leads to the one person.
    assert len(await bindings(fair, bob)) == 1
    theirs = (await exchange(fair, token))["memberRef"]
    assert theirs != mine
    for external_id, ref in (("a", mine), ("b", theirs)):
        item = fair.item(external_id, member={"memberRef": ref})
        assert (await fair.push(external_id, item))["batch"]["counts"]["applied"] == 1
    assert (await undone(gateway, {"mergeId": merge["id"]}))["userErrors"] == []
    for who in ("o-bob", "o-carol"):
        assert len(await bindings(fair, await gateway.sign_in(who))) == 1
    assert (await allow(fair, await gateway.sign_in("o-carol"), "k1"))["userErrors"] == []


async def test_who_said_no_as_another_record_is_bound_no_more(fair: Fair) -> None:
    gateway = fair.gateway
    bob, carol = await gateway.sign_in("o-bob"), await gateway.sign_in("o-carol")
    await allow(fair, bob)
    await allow(fair, carol)
    gateway.clock.advance(seconds=60)
    await leave(fair, carol)
    await merged(gateway, {"id": bob.member_id}, {"id": carol.member_id})
    assert len(await bindings(fair, bob)) == 1
    for _ in range(2):
        await handed(bob, binding_consumer())
    assert await bindings(fair, bob) == []
    assert [one["because"] for one in await unbound(bob)] == ["consent"]
    # Who was bound without a word of their own, as the demo's members are, said no to nobody.
    dora = await gateway.sign_in("o-dora")
    await merged(gateway, {"id": fair.alice.member_id}, {"id": dora.member_id}, key="k2")
    await handed(fair.alice, binding_consumer())
    assert len(await bindings(fair, fair.alice)) == 1


async def handed(member: Session, consumer: Consumer) -> None:
    """Hand all events of the member to the consumer, those that it wants."""
    page = await outbox.stream_page(member.member, after=0, limit=100)
    await consumer.handle([event for event in page.events if consumer.wants(event)])


async def test_who_is_erased_is_nobodys(fair: Fair) -> None:
    gateway = fair.gateway
    bob = await gateway.sign_in("o-bob")
    token = (await allow(fair, bob))["binding"]["bindToken"]
    await custody.erase(
        bob.member, journal=gateway.erasures, files=gateway.files, now=gateway.clock.now()
    )
    assert await refused(fair, token)
    for table in ("game_binding", "game_bind_token"):
        rows = await fetch_all(f"SELECT * FROM {table} WHERE member_id = $1", bob.member)
        assert not rows
