"""After staff have parted two records nothing of the one is the other's: sessions, exports."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from domain import custody
from domain.custody import archive
from domain.storage import fetch_all
from tests.domain.wechat.mini_program import OTHER_APP_ID
from tests.graphql.gateway import Gateway, Session
from tests.graphql.joining import bind, errors, me, merged, two, undone
from tests.graphql.points import token_of
from tests.graphql.test_export_my_data import ask, look

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refreshed(gateway: Gateway, session: Session) -> list[str]:
    """The codes with which the session's refresh token is refused."""
    answer = await gateway.ask(
        "mutation($input: RefreshSessionInput!) { refreshSession(input: $input) {"
        " session { accessToken } userErrors { code } } }",
        {"input": {"refreshToken": session.refresh_token}},
    )
    return [one["code"] for one in answer.json()["data"]["refreshSession"]["userErrors"]]


async def joined(gateway: Gateway) -> tuple[Session, Session, str]:
    """Alice, who binds Bob's number and so gets his record; and the number."""
    alice, bob = await two(gateway)
    number = f"138{abs(hash(gateway.tag)) % 10**8:08}"
    await bind(gateway, bob, number)
    gateway.clock.advance(seconds=1)
    await bind(gateway, alice, number)
    gateway.clock.advance(seconds=1)
    return alice, bob, number


async def test_the_sessions_of_both_are_over(gateway: Gateway) -> None:
    alice, bob, _ = await joined(gateway)
    as_alice = await gateway.sign_in("o-bob")
    assert as_alice.member_id == alice.member_id
    assert errors(await undone(gateway, {"memberId": alice.member_id})) == []
    assert [await me(gateway, one) for one in (alice, as_alice, bob)] == [None] * 3
    assert [await refreshed(gateway, one) for one in (alice, as_alice, bob)] == [
        ["REFRESH_TOKEN_INVALID"]
    ] * 3
    rows = await fetch_all(
        "SELECT revoked_at, revoked_because FROM member_session WHERE member_id = ANY($1::uuid[])",
        [alice.member, bob.member],
    )
    assert {row["revoked_because"] for row in rows} == {"merged"}
    again = [await gateway.sign_in(one) for one in ("o-alice", "o-bob")]
    assert [one.member_id for one in again] == [alice.member_id, bob.member_id]
    assert await me(gateway, again[1]) is not None


async def write(gateway: Gateway) -> int:
    return await custody.write_exports(files=gateway.files, now=gateway.clock.now)


async def fetched(gateway: Gateway, url: str) -> int:
    parts = urlsplit(url)
    return (await gateway.http.get(f"{parts.path}?{parts.query}")).status_code


async def stand(*members: Session) -> list[tuple[str, bool]]:
    """How the exports stand, oldest first, and whether a link leads to one."""
    rows = await fetch_all(
        "SELECT status, token FROM data_export WHERE member_id = ANY($1::uuid[])"
        " ORDER BY requested_at",
        [one.member for one in members],
    )
    return [(row["status"], row["token"] is not None) for row in rows]


async def names(gateway: Gateway) -> set[str]:
    return {path.name for path in gateway.files.folder.glob("*")}


async def test_an_export_of_both_cannot_be_fetched_any_more(gateway: Gateway) -> None:
    alice, bob = await two(gateway)
    await ask(gateway, alice, "before")
    await write(gateway)
    kept = await names(gateway)
    gateway.clock.advance(seconds=1)
    merge = (await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id}))["merge"]
    gateway.clock.advance(seconds=1)
    asked = await ask(gateway, alice, "joined")
    assert await write(gateway) == 1
    url = (await look(gateway, alice, asked["export"]["id"]))["url"]
    gateway.clock.advance(seconds=1)
    await ask(gateway, alice, "waits")

    assert errors(await undone(gateway, {"mergeId": merge["id"]})) == []
    assert await fetched(gateway, url) == 404
    assert await names(gateway) == kept
    # What Alice had asked for before is hers alone, and stays.
    assert await stand(alice, bob) == [("READY", True), ("FAILED", False), ("FAILED", False)]
    assert await write(gateway) == 0
    # Neither counts for the limit.
    alice = await gateway.sign_in("o-alice")
    for key in ("one", "two"):
        assert (await ask(gateway, alice, key))["userErrors"] == []
        assert await write(gateway) == 1
    assert (await look(gateway, alice, asked["export"]["id"])) == {
        "id": asked["export"]["id"],
        "status": "FAILED",
        "url": None,
        "expiresAt": None,
    }


async def test_an_export_of_both_that_is_being_written_is_never_ready(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await two(gateway)
    merge = (await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id}))["merge"]
    await ask(gateway, alice)
    kept, written = await names(gateway), archive._write

    async def parted_meanwhile(*given: Any, **more: Any) -> Any:
        rows = await written(*given, **more)
        assert errors(await undone(gateway, {"mergeId": merge["id"]})) == []
        return rows

    monkeypatch.setattr(archive, "_write", parted_meanwhile)
    assert await write(gateway) == 0
    assert await stand(alice, bob) == [("FAILED", False)]
    assert await names(gateway) == kept


async def request(gateway: Gateway, session: Session, key: str) -> Any:
    answer = await gateway.send(
        "RequestAccountDeletion", await token_of(gateway, session), input={"idempotencyKey": key}
    )
    return answer["deletesAt"]


async def pending(*members: Session) -> list[datetime | None]:
    """When each of the records is going to be erased."""
    rows = await fetch_all(
        "SELECT member_id, deletes_at FROM account_deletion WHERE member_id = ANY($1::uuid[])",
        [one.member for one in members],
    )
    when = {row["member_id"]: row["deletes_at"] for row in rows}
    return [when.get(one.member) for one in members]


async def erase_due(gateway: Gateway) -> None:
    now = gateway.clock.now()
    await custody.erase_due(journal=gateway.erasures, files=gateway.files, now=now)


async def erased(*members: Session) -> list[bool]:
    return [await custody.is_erased(one.member) for one in members]


async def told(session: Session, since: datetime) -> list[str]:
    """What the member was told about the deletion since then."""
    rows = await fetch_all(
        "SELECT kind FROM outbox WHERE member_id = $1 AND announced_at >= $2"
        " AND kind LIKE 'AccountDeletion%' ORDER BY seq",
        *(session.member, since),
    )
    return [row["kind"] for row in rows]


async def test_a_deletion_that_was_asked_before_is_the_askers_again(gateway: Gateway) -> None:
    alice, bob = await two(gateway)
    await request(gateway, bob, "k")
    due = gateway.clock.now() + timedelta(days=7)
    gateway.clock.advance(days=6, hours=23)
    merge = (await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id}))["merge"]
    gateway.clock.advance(hours=2)
    await erase_due(gateway)
    assert await pending(alice, bob) == [None, due]
    assert errors(await undone(gateway, {"mergeId": merge["id"]})) == []
    assert await pending(alice, bob) == [None, due]
    await erase_due(gateway)
    assert await erased(alice, bob) == [False, True]


async def test_a_record_that_is_to_be_deleted_gets_time_when_another_one_comes_to_it(
    gateway: Gateway,
) -> None:
    alice, bob = await two(gateway)
    await request(gateway, alice, "k")
    gateway.clock.advance(days=6, hours=23)
    at = gateway.clock.now()
    merge = (await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id}))["merge"]
    anew = at + timedelta(days=7)
    assert await pending(alice, bob) == [anew, None]
    assert await told(alice, at) == ["AccountDeletionRequested"]
    assert await request(gateway, alice, "k2") == f"{anew:%Y-%m-%dT%H:%M:%SZ}"
    gateway.clock.advance(hours=2)
    await erase_due(gateway)
    assert await erased(alice, bob) == [False, False]
    # It was Alice's wish alone, and stays hers.
    assert errors(await undone(gateway, {"mergeId": merge["id"]})) == []
    assert await pending(alice, bob) == [anew, None]
    gateway.clock.moment = anew
    await erase_due(gateway)
    assert await erased(alice, bob) == [True, False]


async def test_a_deletion_that_was_asked_while_they_were_one_is_nobodys(gateway: Gateway) -> None:
    alice, bob = await two(gateway)
    merge = (await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id}))["merge"]
    gateway.clock.advance(seconds=1)
    as_alice = await gateway.sign_in("o-bob")
    await request(gateway, as_alice, "k")
    gateway.clock.advance(seconds=1)
    at = gateway.clock.now()
    assert errors(await undone(gateway, {"mergeId": merge["id"]})) == []
    assert await pending(alice, bob) == [None, None]
    assert (await told(alice, at), await told(bob, at)) == (["AccountDeletionCancelled"], [])
    # Both may ask for themselves.
    bob = await gateway.sign_in("o-bob")
    await request(gateway, bob, "own")
    assert await pending(alice, bob) == [None, at + timedelta(days=7)]


async def test_a_deletion_is_not_passed_on_to_one_who_may_be_parted_from_the_keeper(
    gateway: Gateway,
) -> None:
    alice, bob = await two(gateway)
    carol = await gateway.sign_in("o-carol")
    await request(gateway, bob, "k")
    gateway.clock.advance(days=6, hours=23)
    await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id})
    gateway.clock.advance(days=1)
    keep, lose = {"id": carol.member_id}, {"id": alice.member_id}
    second = (await merged(gateway, keep, lose, key="2"))["merge"]
    await erase_due(gateway)
    assert await pending(carol, alice) == [None, None]
    assert errors(await undone(gateway, {"mergeId": second["id"]}, key="2")) == []
    await erase_due(gateway)
    anew = gateway.clock.now() + timedelta(days=7)
    assert await pending(carol, alice, bob) == [None, anew, None]


async def test_who_came_by_another_app_meanwhile_is_who_they_are(gateway: Gateway) -> None:
    """Bob's unionid led to Alice's record, and so his openid there was bound to it."""
    alice = await gateway.sign_in("o-alice", unionid="u-alice")
    bob = await gateway.sign_in("o-bob")
    carol = await gateway.sign_in("o-carol", unionid="u-carol")
    second = (await merged(gateway, {"id": alice.member_id}, {"id": carol.member_id}))["merge"]
    gateway.clock.advance(seconds=1)
    elsewhere = await gateway.sign_in("o-2", unionid="u-carol", app_id=OTHER_APP_ID)
    own = await gateway.sign_in("o-3", unionid="u-alice", app_id=OTHER_APP_ID)
    assert {elsewhere.member_id, own.member_id} == {alice.member_id}
    assert errors(await undone(gateway, {"mergeId": second["id"]})) == []
    elsewhere = await gateway.sign_in("o-2", unionid="u-carol", app_id=OTHER_APP_ID)
    own = await gateway.sign_in("o-3", unionid="u-alice", app_id=OTHER_APP_ID)
    assert (elsewhere.member_id, own.member_id) == (carol.member_id, alice.member_id)

    # Who had no unionid yet, and got one while the two were one, keeps it too.
    gateway.clock.advance(seconds=1)
    keep, lose = {"id": own.member_id}, {"id": bob.member_id}
    await gateway.sign_in("o-dora")
    third = (await merged(gateway, keep, lose, key="2"))["merge"]
    gateway.clock.advance(seconds=1)
    assert (await gateway.sign_in("o-bob", unionid="u-bob")).member_id == alice.member_id
    assert errors(await undone(gateway, {"mergeId": third["id"]}, key="2")) == []
    new = await gateway.sign_in("o-4", unionid="u-bob", app_id=OTHER_APP_ID)
    assert new.member_id != alice.member_id
    assert (await gateway.sign_in("o-bob", unionid="u-bob")).member_id == bob.member_id
