"""Two records of one person: joined by a phone, by WeChat, by staff; parted by staff."""

from __future__ import annotations

from typing import Any, Final

import pytest

from domain.storage import execute
from tests.domain.wechat.mini_program import OTHER_APP_ID
from tests.graphql.gateway import Gateway, Session, plain_id
from tests.graphql.joining import bind, errors, me, merged, two, undone
from tests.graphql.kept import changed, everything_kept
from tests.graphql.points import balance, codes, earn, held
from tests.graphql.redeeming import cancel, keep, redeem

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALICE: Final = {"available": 150, "held": 0, "debt": 0}


async def test_staff_join_two_records_and_part_them_again(gateway: Gateway) -> None:
    alice, bob = await two(gateway)
    await held(gateway, bob, 20, idempotencyKey=gateway.named("h"), reference=gateway.named("c"))
    answer = await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id})
    assert answer["userErrors"] == []
    merge_id = answer["merge"].pop("id")
    assert answer["merge"] == {
        "keeperId": alice.member_id,
        "loserId": bob.member_id,
        "because": "STAFF",
        "mergedAt": "2026-03-01T12:00:00Z",
        "undoableUntil": "2026-03-02T12:00:00Z",
        "undoneAt": None,
    }
    assert await me(gateway, alice) == {
        "id": alice.member_id,
        "points": ALICE,
        "ledger": {"nodes": [{"kind": "MERGE_IN", "amount": 50}]},
    }
    # Bob's session is over; who signs in as Bob is Alice, and a shop that names Bob means Alice.
    assert await me(gateway, bob) is None
    again = await gateway.sign_in("o-bob")
    assert (again.member_id, again.is_new_member) == (alice.member_id, False)
    await earn(gateway, bob, 7, order_id="later")
    assert (await balance(gateway, alice))["available"] == 157
    query = "query($by: MemberRef!) { staff { member(by: $by) { id } } }"
    found = await gateway.ask(query, {"by": {"id": bob.member_id}}, token=await gateway.staff())
    assert found.json()["data"]["staff"]["member"] == {"id": alice.member_id}

    before = await everything_kept()
    assert (await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id}))["merge"][
        "id"
    ] == merge_id
    assert changed(before, await everything_kept()) <= {"audit_entry", "audit_head"}

    answer = await undone(gateway, {"mergeId": merge_id})
    assert answer == {
        "merge": {
            "id": merge_id,
            "keeperId": alice.member_id,
            "loserId": bob.member_id,
            "undoneAt": "2026-03-01T12:00:00Z",
        },
        "userErrors": [],
    }
    parted = await gateway.sign_in("o-bob")
    assert (parted.member_id, parted.is_new_member) == (bob.member_id, False)
    alice = await gateway.sign_in("o-alice")
    assert (await balance(gateway, alice))["available"] == 107
    assert (await balance(gateway, parted))["available"] == 50
    assert await undone(gateway, {"mergeId": merge_id}) == answer
    assert errors(await undone(gateway, {"memberId": bob.member_id}, key="2")) == [
        ("MERGE_UNKNOWN", ["merge", "memberId"])
    ]
    assert errors(await undone(gateway, {"mergeId": merge_id}, key="3")) == [
        ("MERGE_NOT_UNDOABLE", None)
    ]


async def test_what_cannot_be_joined_is_refused_and_changes_nothing(gateway: Gateway) -> None:
    alice, bob = await two(gateway)
    alices = {"id": alice.member_id}
    before = await everything_kept()
    assert errors(await merged(gateway, alices, alices)) == [("INVALID_INPUT", ["lose"])]
    unknown = {"externalRef": "nobody"}
    assert errors(await merged(gateway, unknown, alices)) == [("MEMBER_NOT_FOUND", ["keep"])]
    assert errors(await merged(gateway, alices, unknown)) == [("MEMBER_NOT_FOUND", ["lose"])]
    assert await everything_kept() == before
    answer = await merged(gateway, alices, {"id": bob.member_id}, key="other")
    assert errors(answer) == []
    assert errors(await merged(gateway, {"id": bob.member_id}, alices, key="other")) == [
        ("IDEMPOTENCY_CONFLICT", ["idempotencyKey"])
    ]


async def test_a_merge_is_undone_within_a_day_and_only_the_last(gateway: Gateway) -> None:
    alice, bob = await two(gateway)
    carol = await gateway.sign_in("o-carol")
    first = await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id})
    second = await merged(gateway, {"id": carol.member_id}, {"id": bob.member_id}, key="2")
    # Bob was Alice by then.
    assert second["merge"]["loserId"] == alice.member_id
    refused = await undone(gateway, {"mergeId": first["merge"]["id"]})
    assert errors(refused) == [("MERGE_NOT_UNDOABLE", None)]
    assert await me(gateway, carol) is not None
    assert (await balance(gateway, carol))["available"] == 150
    gateway.clock.advance(hours=24)
    before = await everything_kept()
    late = await undone(gateway, {"mergeId": second["merge"]["id"]}, key="2")
    assert errors(late) == [("MERGE_NOT_UNDOABLE", None)]
    assert await everything_kept() == before


async def test_binding_a_phone_of_another_member_joins_the_two(gateway: Gateway) -> None:
    alice, bob = await two(gateway)
    number = f"138{abs(hash(gateway.tag)) % 10**8:08}"
    masked = f"+86138****{number[-4:]}"
    assert (await bind(gateway, bob, number))["member"] == {
        "id": bob.member_id,
        "phoneMasked": masked,
    }
    assert await bind(gateway, alice, number) == {
        "member": {"id": alice.member_id, "phoneMasked": masked},
        "userErrors": [],
    }
    assert await me(gateway, bob) is None
    assert await balance(gateway, alice) == ALICE
    # Bound again, it is Alice's already.
    assert (await bind(gateway, alice, number))["member"]["phoneMasked"] == masked

    assert errors(await undone(gateway, {"memberId": alice.member_id})) == []
    alice = await gateway.sign_in("o-alice")
    before = await everything_kept()
    refused = await bind(gateway, alice, number)
    assert (refused["member"], refused["userErrors"][0]["code"]) == (None, "PHONE_OF_ANOTHER")
    assert await everything_kept() == before
    assert (await balance(gateway, await gateway.sign_in("o-bob")))["available"] == 50


async def test_a_sign_in_whose_unionid_is_another_members_joins_the_two(gateway: Gateway) -> None:
    alice = await gateway.sign_in("o-alice", app_id=OTHER_APP_ID)
    bob = await gateway.sign_in("o-bob", unionid="u-bob")
    await earn(gateway, alice, 100)
    await earn(gateway, bob, 50)
    # WeChat tells only now that the two are one.
    again = await gateway.sign_in("o-alice", unionid="u-bob", app_id=OTHER_APP_ID)
    assert (again.member_id, again.is_new_member) == (alice.member_id, False)
    assert await balance(gateway, alice) == ALICE
    assert await me(gateway, bob) is None
    assert (await gateway.sign_in("o-bob", unionid="u-bob")).member_id == alice.member_id

    # Staff know better; after that nobody is joined by signing in.
    assert errors(await undone(gateway, {"memberId": alice.member_id})) == []
    once_more = await gateway.sign_in("o-alice", unionid="u-bob", app_id=OTHER_APP_ID)
    assert once_more.member_id == alice.member_id
    assert (await gateway.sign_in("o-bob", unionid="u-bob")).member_id == bob.member_id


async def test_an_account_that_cannot_be_joined_keeps_nobody_from_signing_in(
    gateway: Gateway,
) -> None:
    alice = await gateway.sign_in("o-alice", app_id=OTHER_APP_ID)
    bob = await gateway.sign_in("o-bob", unionid="u-bob")
    await earn(gateway, bob, 50)
    frozen = "UPDATE points_account SET frozen_at = $1 WHERE member_id = $2"
    await execute(frozen, gateway.clock.now(), bob.member)
    again = await gateway.sign_in("o-alice", unionid="u-bob", app_id=OTHER_APP_ID)
    assert again.member_id == alice.member_id
    assert await me(gateway, bob) is not None
    answer = await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id})
    assert errors(answer) == [("ACCOUNT_FROZEN", None)]
    await execute(frozen, None, bob.member)
    await gateway.sign_in("o-alice", unionid="u-bob", app_id=OTHER_APP_ID)
    assert (await balance(gateway, alice))["available"] == 50


async def test_ids_of_the_record_that_was_given_up_are_the_keepers(gateway: Gateway) -> None:
    alice, bob = await two(gateway)
    query = (
        """{ me { id ledger(first: 1) { nodes { id } } purchases(first: 1) { nodes { id } } } }"""
    )
    body = (await gateway.ask(query, token=bob.access_token)).json()["data"]["me"]
    ids = [bob.member_id, *(body[name]["nodes"][0]["id"] for name in ("ledger", "purchases"))]
    look = "query($id: ID!) { node(id: $id) { __typename id } }"

    async def looked(session: Session) -> list[Any]:
        answers = [await gateway.ask(look, {"id": one}, token=session.access_token) for one in ids]
        return [answer.json()["data"]["node"] for answer in answers]

    assert await looked(alice) == [None, None, None]
    answer = await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id})
    assert [one and one["__typename"] for one in await looked(alice)] == [
        "Member",
        "LedgerEntry",
        "Purchase",
    ]
    assert (await looked(alice))[0]["id"] == alice.member_id
    await undone(gateway, {"mergeId": answer["merge"]["id"]})
    alice = await gateway.sign_in("o-alice")
    assert await looked(alice) == [None, None, None]


async def test_a_redemption_of_the_other_record_is_cancelled_by_the_keeper(
    gateway: Gateway,
) -> None:
    alice, bob = await two(gateway)
    gift = await redeem(gateway, bob, "gift", addressId=await keep(gateway, bob))
    look = "query($id: ID!) { node(id: $id) { id ... on Redemption { entry { id amount } } } }"

    async def looked() -> Any:
        response = await gateway.ask(look, {"id": gift["id"]}, token=alice.access_token)
        return response.json()["data"]["node"]

    assert await looked() is None
    await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id})
    assert (await balance(gateway, alice))["available"] == 130
    # By the id that Bob's phone has, which leads to Alice's redemption.
    found = await looked()
    assert found["entry"]["amount"] == -20
    assert plain_id(found["id"]) == plain_id(gift["id"]).replace(str(bob.member), str(alice.member))
    answer = await cancel(gateway, alice, gift["id"])
    assert answer["userErrors"] == []
    assert answer["redemption"] == {"id": found["id"], "status": "CANCELLED"}
    assert answer["entry"]["amount"] == 20
    assert await balance(gateway, alice) == ALICE
    # The entry of the other journal is Alice's to look at, and nothing comes back twice.
    node = "query($id: ID!) { node(id: $id) { __typename id } }"
    entry = await gateway.ask(node, {"id": answer["entry"]["id"]}, token=alice.access_token)
    assert entry.json()["data"]["node"]["id"] == answer["entry"]["id"]
    assert await cancel(gateway, alice, found["id"]) == answer
    again = await cancel(gateway, alice, found["id"], idempotencyKey="cancel-2")
    assert codes(again) == ["REDEMPTION_NOT_CANCELLABLE"]
    assert await balance(gateway, alice) == ALICE
