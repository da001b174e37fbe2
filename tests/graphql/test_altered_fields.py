"""One key, another input: each field of each mutation that takes a key, altered in turn.

The mutations and the alterations come from the schema, so a new field is covered by itself; a new
mutation fails here until `first_requests` says how it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_required_input_field,
)

from domain import games, storage
from domain.access import CallerKind, StaffRole
from tests.domain.games.arcade import open_campaign
from tests.graphql.first_requests import First, tickets_first
from tests.graphql.gateway import NOW, Gateway, Session, global_id
from tests.graphql.kept import changed, everything_kept
from tests.graphql.orders import applied, line, order, record, refund
from tests.graphql.partners import take_in
from tests.graphql.perks import perk
from tests.graphql.points import earn, held
from tests.graphql.programme import open_account
from tests.graphql.redeeming import keep, redeem, reserve, reward_id
from tests.repository.tree import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS: Final = ("idempotencyKey", "batchId")
"""What an input calls its key."""

THE_SAME: Final = {"currency": "CNY", "channel": "MINI_PROGRAM"}
"""Optional fields that mean, where they are left out, what they are sent as here."""


def keyed_mutations(schema: GraphQLSchema) -> dict[str, GraphQLInputObjectType]:
    """Each mutation whose input has a key, with the type of its input."""
    mutation = schema.mutation_type
    assert mutation is not None
    inputs = {
        name: get_named_type(declared.args["input"].type)
        for name, declared in mutation.fields.items()
    }
    return {
        name: kind
        for name, kind in inputs.items()
        if isinstance(kind, GraphQLInputObjectType) and set(KEYS) & set(kind.fields)
    }


def alterations(
    kind: GraphQLInputType, value: Any, *, name: str, others: dict[str, str]
) -> Iterator[tuple[str, Any]]:
    """What else could stand there: (what is different, the value), one thing at a time."""
    if isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    if isinstance(kind, GraphQLList):
        yield f"{name} without the last", value[:-1]
        for place, item in enumerate(value):
            inside = f"{name}[{place}]"
            for what, altered in alterations(kind.of_type, item, name=inside, others=others):
                yield what, [*value[:place], altered, *value[place + 1 :]]
    elif isinstance(kind, GraphQLInputObjectType):
        for inner, declared in kind.fields.items():
            if inner in KEYS or (kind.is_one_of and inner not in value):
                continue
            assert inner in value, f"{kind.name}.{inner} is to be sent, so that it can be altered"
            inside = f"{name}.{inner}" if name else inner
            optional = not is_required_input_field(declared) and not kind.is_one_of
            if optional and THE_SAME.get(inner) != value[inner]:
                yield f"no {inside}", {one: value[one] for one in value if one != inner}
            for what, altered in alterations(
                declared.type, value[inner], name=inside, others=others
            ):
                yield what, {**value, inner: altered}
    elif isinstance(kind, GraphQLEnumType):
        yield from ((name, one) for one in kind.values if one != value)
    else:
        yield name, others.get(name) or another(value)


def another(value: Any) -> Any:
    """A scalar that is not the same."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str() if value.endswith("Z") and value[:4].isdigit():
            moment = datetime.fromisoformat(value) - timedelta(microseconds=1)
            return moment.isoformat().replace("+00:00", "Z")
        case str():
            return f"{value}x"
    raise AssertionError(f"another {value!r} is not known")


async def first_requests(gateway: Gateway) -> dict[str, First]:
    """How each mutation is sent first: with every field of its input, and so that it succeeds."""
    alice, bob, carol = [await gateway.sign_in(f"o-{name}") for name in ("alice", "bob", "carol")]
    shop, staff, second = await gateway.shop(), await gateway.staff(), await staff_besides(gateway)
    orders = [
        order(name, alice.member_id, line("cup", 8_800), line("bag", 500))
        | {"currency": "CNY", "channel": "store", "shop": "s-1"}
        for name in ("A", "B")
    ]
    assert applied(await record(gateway, "before", orders[:1])) == [93]
    holds = [
        await held(gateway, alice, 10, idempotencyKey=f"hold-{n}", reference=f"cart-{n}")
        for n in range(4)
    ]
    large = [await asked_for(gateway, staff, alice, n) for n in range(2)]
    alices, bobs = {"id": alice.member_id}, {"id": bob.member_id}
    others = {"member.id": carol.member_id, "toMember.id": carol.member_id}
    return {
        **orders_first(shop, orders, bob),
        **await games_first(gateway, alice, bob),
        "holdPoints": First(
            shop,
            {"member": alices, "points": 5, "reference": "cart", "expiresInMinutes": 20},
            others,
        ),
        "capturePoints": First(shop, {"holdId": holds[0], "points": 4}, {"holdId": holds[1]}),
        "releasePoints": First(shop, {"holdId": holds[2]}, {"holdId": holds[3]}),
        "transferPoints": First(
            alice.access_token, {"toMember": bobs, "points": 5, "note": "生日快乐"}, others
        ),
        "addMemberNote": First(
            staff, {"member": alices, "text": "对坚果过敏"}, others, audited=True
        ),
        "exportMyData": First(alice.access_token, {}),
        "requestAccountDeletion": First(alice.access_token, {"reason": "搬家了"}),
        "cancelAccountDeletion": First(alice.access_token, {}),
        "adjustPoints": First(
            staff, {"member": alices, "points": 5, "reason": "包裹迟到"}, others, audited=True
        ),
        **await merges_first(gateway, staff, carol),
        **await tickets_first(gateway, alice, carol, staff),
        **await redemptions_first(gateway, alice),
        "usePerk": First(
            carol.access_token,
            {"perkId": perk("bronze", "shipping"), "reference": "table 4"},
            {"perkId": perk("silver", "shipping")},
        ),
        "approveAdjustment": First(
            second, {"adjustmentId": large[0]}, {"adjustmentId": large[1]}, audited=True
        ),
    }


def orders_first(shop: str, orders: list[dict[str, Any]], other: Session) -> dict[str, First]:
    """What a shop tells of orders."""
    return {
        "recordPurchases": First(
            shop,
            {"batchId": "batch", "orders": orders},
            {f"orders[{n}].member.id": other.member_id for n in range(2)},
        ),
        "recordRefunds": First(
            shop,
            {
                "batchId": "refunds",
                "refunds": [
                    refund(name, "A", 500, lines=[{"lineId": "cup", "quantity": 0, "amount": 400}])
                    for name in ("R", "S")
                ],
            },
            {},
        ),
        "recordOrderNotices": First(
            shop,
            {
                "batchId": "notices",
                "notices": [
                    {
                        "externalId": name,
                        "orderExternalId": "A",
                        "kind": "SHIPPED",
                        "at": "2026-03-01T11:30:00Z",
                        "carrier": "SF",
                        "number": "SF1",
                    }
                    for name in ("N", "M")
                ],
            },
            {},
        ),
    }


async def merges_first(gateway: Gateway, staff: str, carol: Session) -> dict[str, First]:
    """Which records staff joins, and which it parts."""
    dora, erik, fred, grace = [
        await gateway.sign_in(f"o-{name}") for name in ("dora", "erik", "fred", "grace")
    ]
    await joined(gateway, staff, fred, grace)
    return {
        "mergeMembers": First(
            staff,
            {"keep": {"id": dora.member_id}, "lose": {"id": erik.member_id}},
            {"keep.id": carol.member_id, "lose.id": carol.member_id},
            audited=True,
        ),
        "undoMerge": First(
            staff,
            {"merge": {"memberId": grace.member_id}},
            {"merge.memberId": fred.member_id},
            audited=True,
        ),
    }


async def redemptions_first(gateway: Gateway, alice: Session) -> dict[str, First]:
    """What a member redeems, and what a shop does with the coupons."""
    token, shop = alice.access_token, await gateway.shop()
    await earn(gateway, alice, 500, order_id="more")
    homes = [
        await keep(gateway, alice, recipient="王小明", idempotencyKey=f"home-{n}") for n in range(2)
    ]
    gifts = [await redeem(gateway, alice, "gift", idempotencyKey=f"gift-{n}") for n in range(2)]
    coupons = [
        (await redeem(gateway, alice, "coupon", idempotencyKey=f"coupon-{n}"))["coupons"][0]
        for n in range(6)
    ]
    one, two, three = [
        {"code": coupons[n]["code"], "orderReference": f"order-{n}"} for n in range(3)
    ]
    for other, name in ((two, "r-2"), (three, "r-3")):
        await reserve(gateway, other["code"], other["orderReference"], idempotencyKey=name)
    others = {"code": coupons[5]["code"]}
    return {
        "redeemReward": First(
            token,
            {"rewardId": reward_id("gift"), "quantity": 2, "addressId": homes[0]},
            {"rewardId": reward_id("box"), "addressId": homes[1]},
        ),
        "cancelRedemption": First(
            token, {"redemptionId": gifts[0]["id"]}, {"redemptionId": gifts[1]["id"]}
        ),
        "addAddress": First(
            token,
            {
                "recipient": "王小明",
                "phone": "+8613800138000",
                "region": "上海市",
                "street": "南京西路 1 号",
                "postcode": "200040",
            },
            {"phone": "+8613900139000"},
        ),
        "reserveCoupon": First(shop, {**one, "amount": 9_000}, others),
        "confirmCoupon": First(shop, two, others),
        "releaseCoupon": First(shop, three, others),
    }


async def games_first(gateway: Gateway, member: Session, other: Session) -> dict[str, First]:
    """What a partner tells and is told of those who allow it, and whom they allow."""
    platform = await take_in(gateway)
    campaign = await open_campaign(platform.code)
    ref = await games.bind_member(platform.partner.account_id, member.member, now=NOW)
    item = {
        "member": {"memberRef": ref},
        "campaignId": global_id("GameCampaign", campaign.id),
        "points": 5,
        "occurredAt": "2026-03-01T11:00:00Z",
        "reversesExternalId": "later",
        "businessReference": "spin",
        "prizeCode": "tea",
        "disclosureVersion": "1",
    }
    items = [{**item, "externalId": kind.lower(), "kind": kind} for kind in ("GRANT", "REVERSAL")]
    event = {
        **{name: item[name] for name in ("member", "campaignId")},
        **{"kind": "VISIT", "visitor": "somebody", "at": "2026-03-01T11:00:00Z"},
    }
    events = [{**event, "externalId": f"event-{n}"} for n in range(2)]
    allowing = {"partnerCode": platform.code}
    await games.bind_member(platform.partner.account_id, other.member, now=NOW)
    return {
        "pushRewards": First(await platform.token(), {"items": items}, platform=platform),
        "recordGameEvents": First(await platform.token(), {"events": events}, platform=platform),
        "createGameBinding": First(member.access_token, {**allowing, "consent": True}),
        "removeGameBinding": First(other.access_token, allowing),
    }


async def staff_besides(gateway: Gateway) -> str:
    """A token of somebody who approves what the clerk asked for."""
    code = gateway.named("second")
    await open_account(CallerKind.STAFF, code, *StaffRole, now=NOW)
    return await gateway.token_of(code)


async def joined(gateway: Gateway, staff: str, keep: Session, lose: Session) -> None:
    """Let staff join two members."""
    given = {
        "keep": {"id": keep.member_id},
        "lose": {"id": lose.member_id},
        "idempotencyKey": gateway.named("joined"),
    }
    query = "mutation($input: MergeMembersInput!) { mergeMembers(input: $input) { merge { id } } }"
    body = (await gateway.ask(query, {"input": given}, token=staff)).json()
    assert body["data"]["mergeMembers"]["merge"] is not None


async def asked_for(gateway: Gateway, staff: str, member: Session, number: int) -> str:
    """The id of a correction that waits for somebody else's approval."""
    given = {
        "member": {"id": member.member_id},
        "points": 1_000_000 + number,
        "reason": "活动补发",
        "idempotencyKey": gateway.named(f"large-{number}"),
    }
    answer = await gateway.send("AdjustPoints", staff, input=given)
    assert answer["adjustment"]["status"] == "PENDING", answer
    adjustment_id: str = answer["adjustment"]["id"]
    return adjustment_id


async def send(gateway: Gateway, name: str, kind: str, first: First, given: dict[str, Any]) -> Any:
    """The refusals of one mutation, as clients read them."""
    document = f"""mutation($input: {kind}!) {{ {name}(input: $input) {{ userErrors {{
        code ... on IdempotencyConflict {{ key differing }} }} }} }}"""
    if first.platform is not None:
        response = await first.platform.push(document, {"input": given}, token=first.token)
    else:
        response = await gateway.ask(document, {"input": given}, token=first.token)
    assert response.status_code == 200
    body = response.json()
    assert "errors" not in body, body
    return body["data"][name]["userErrors"]


async def test_another_input_under_a_used_key_is_refused_and_changes_nothing(
    gateway: Gateway, tally: Callable[[str, int, int], None]
) -> None:
    schema = build_schema((ROOT / "schema" / "schema.graphql").read_text())
    mutations = keyed_mutations(schema)
    requests = await first_requests(gateway)
    assert set(requests) == set(mutations), "say in first_requests how each is sent first"
    refused = 0
    for name, kind in mutations.items():
        first = requests[name]
        (key,) = set(KEYS) & set(kind.fields)
        sent = first.given | {key: gateway.named(f"key of {name}")}
        assert await send(gateway, name, kind.name, first, sent) == []
        before = await everything_kept()
        for what, given in alterations(kind, sent, name="", others=first.others):
            errors = await send(gateway, name, kind.name, first, given)
            # The client is told which field of its input it is, by the field's own name.
            altered = "".join(one for one in sent if given.get(one) != sent[one])
            assert altered in kind.fields, f"{name}: {what} is not altered"
            conflict = {"code": "IDEMPOTENCY_CONFLICT", "key": sent[key], "differing": [altered]}
            assert errors == [conflict], f"{name}: {what}"
            refused += 1
        # The same input still gets its first answer.
        assert await send(gateway, name, kind.name, first, sent) == []
        audit = {"audit_entry", "audit_head"} if first.audited else set()
        assert changed(before, await everything_kept()) <= audit, name
    engine = storage.dialect()
    tally(f"mutations with a key on {engine}", len(mutations), 7)
    tally(f"altered inputs refused on {engine}", refused, 50)
