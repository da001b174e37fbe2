"""What staff sees: a member by reference, told to the audit log, and the log itself; by role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from domain import audit, members
from domain.access import CallerKind, StaffRole, disable_account
from domain.members import ByExternalReference
from domain.paging import PageRequest
from domain.storage import execute, observed_statements
from tests.domain.access.fixtures import OPERATOR
from tests.graphql.gateway import NOW, Gateway, Session, cursor, global_id
from tests.graphql.orders import order, record
from tests.graphql.programme import CLERK, open_account

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEMBER = """query($by: MemberRef!) { staff { member(by: $by) {
    id nickname tier { level { code } } points { available pending held debt }
    ledger(first: 1) {
        nodes { kind amount source { reference } } pageInfo { hasNextPage } } } } }"""
NOBODY = "01977c1e-0000-7000-8000-000000000000"


async def look(gateway: Gateway, by: dict[str, Any], *, token: str | None = None) -> Any:
    token = token or await gateway.staff()
    body = (await gateway.ask(MEMBER, {"by": by}, token=token)).json()
    assert "errors" not in body, body
    return body["data"]["staff"]["member"]


async def log(count: int) -> Sequence[audit.AuditEntry]:
    """The newest rows, oldest first."""
    return list(reversed((await audit.entries(PageRequest(first=count))).items))


async def bought_twice(gateway: Gateway) -> Session:
    alice = await gateway.sign_in()
    for number in ("A", "B"):
        await record(gateway, f"batch-{number}", [order(number, alice.member_id)])
    return alice


async def test_a_member_is_found_by_every_reference_and_each_look_is_told(gateway: Gateway) -> None:
    alice = await bought_twice(gateway)
    expected = {
        "id": alice.member_id,
        "nickname": "",
        "tier": {"level": {"code": "bronze"}},
        "points": {"available": 176, "pending": 0, "held": 0, "debt": 0},
        "ledger": {
            "nodes": [{"kind": "EARN", "amount": 88, "source": {"reference": "B"}}],
            "pageInfo": {"hasNextPage": True},
        },
    }
    assert await look(gateway, {"id": alice.member_id}) == expected
    wechat = {"appId": "wxjifendemo0000001", "openId": gateway.named("o-alice")}
    assert await look(gateway, {"wechat": wechat}) == expected

    [one, other] = await log(2)
    for entry, way in ((one, "id"), (other, "wechat")):
        assert (entry.actor, entry.action, entry.at) == (f"staff:{CLERK}", "member.read", NOW)
        assert entry.target == audit.Target(kind="member", id=str(alice.member))
        assert orjson.loads(entry.after or "") == {"by": way, "found": True}
        assert entry.before is None
    assert one.request_id != other.request_id


async def test_the_log_names_the_request_as_its_answer_does(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    token = await gateway.staff()
    response = await gateway.ask(MEMBER, {"by": {"id": alice.member_id}}, token=token)
    [entry] = await log(1)
    assert entry.request_id == response.headers["x-request-id"]


async def test_a_look_under_each_alias_is_told(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    query = f"""{{ staff {{
        a: member(by: {{ id: "{alice.member_id}" }}) {{ id }}
        b: member(by: {{ id: "{bob.member_id}" }}) {{ id }} }} }}"""
    body = (await gateway.ask(query, token=await gateway.staff())).json()
    assert body["data"]["staff"] == {"a": {"id": alice.member_id}, "b": {"id": bob.member_id}}
    told = {entry.target.id for entry in await log(2) if entry.target}
    assert told == {str(alice.member), str(bob.member)}


async def test_a_reference_that_names_nobody_is_null_costs_the_same_and_is_told(
    gateway: Gateway,
) -> None:
    alice = await gateway.sign_in()
    [shop_card] = (
        await members.register_external_members([ByExternalReference(gateway.named("c"))], now=NOW)
    ).values()
    query = "query($by: MemberRef!) { staff { member(by: $by) { id } } }"
    token = await gateway.staff()

    async def ask(by: dict[str, Any]) -> tuple[Any, list[str]]:
        with observed_statements() as statements:
            body = (await gateway.ask(query, {"by": by}, token=token)).json()
        assert "errors" not in body, body
        return body["data"]["staff"]["member"], statements

    for known, unknown, way, found in (
        ({"id": alice.member_id}, {"id": global_id("Member", NOBODY)}, "id", alice.member_id),
        (
            {"externalRef": gateway.named("c")},
            {"externalRef": "nobody"},
            "externalRef",
            global_id("Member", shop_card),
        ),
    ):
        there, statements = await ask(known)
        missing, statements_of_missing = await ask(unknown)
        assert (there, missing) == ({"id": found}, None)
        assert statements == statements_of_missing
        assert len([sql for sql in statements if "audit_" in sql]) == 3
        [entry] = await log(1)
        assert entry.target is None
        assert orjson.loads(entry.after or "") == {"by": way, "found": False}
    for by in ({"phone": "+8613800138000"}, {"bindToken": "x"}, {"memberRef": "x"}):
        assert (await ask(by))[0] is None
        [entry] = await log(1)
        assert "13800138000" not in str(entry)


async def test_ids_of_other_things_are_all_refused_alike(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    token = await gateway.staff()
    before = await audit.head()
    answers = set()
    for bad in (
        global_id("LedgerEntry", f"{alice.member}:1"),
        global_id("LedgerEntry", f"{NOBODY}:1"),
        global_id("Coupon", f"{alice.member}:{NOBODY}"),
    ):
        response = await gateway.ask(MEMBER, {"by": {"id": bad}}, token=token)
        [error] = response.json()["errors"]
        request_id = error["extensions"].pop("requestId")
        assert request_id == response.headers["x-request-id"]
        assert error["extensions"]["code"] == "BAD_ID"
        answers.add(orjson.dumps(error))
    assert len(answers) == 1
    assert await audit.head() == before


# By role: the field, and whether the role sees it.
FIELDS = {
    "{ staff { login name roles } }": set(StaffRole),
    "{ staff { member(by: MEMBER) { id } } }": set(StaffRole) - {StaffRole.ADMIN},
    "{ staff { member(by: MEMBER) { nickname tier { progress { pointsToKeep } } } } }": (
        set(StaffRole) - {StaffRole.ADMIN}
    ),
    "{ staff { member(by: MEMBER) { points { available } } } }": (
        {StaffRole.SUPPORT, StaffRole.FINANCE, StaffRole.AUDITOR}
    ),
    "{ staff { member(by: MEMBER) { ledger { nodes { amount } } } } }": (
        {StaffRole.SUPPORT, StaffRole.FINANCE, StaffRole.AUDITOR}
    ),
    "{ staff { auditLog { nodes { actor } } } }": {StaffRole.AUDITOR},
    "{ me { id } }": set(),
    "{ partner { code } }": set(),
}


async def test_each_role_sees_what_it_needs(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    for role in StaffRole:
        token = await gateway.token_of(CLERK, role)
        for query, roles in FIELDS.items():
            asked = query.replace("MEMBER", f'{{ id: "{alice.member_id}" }}')
            body = (await gateway.ask(asked, token=token)).json()
            if role in roles:
                assert "errors" not in body, (role, query)
                continue
            assert [error["extensions"]["code"] for error in body["errors"]] == ["FORBIDDEN"]
            assert "data" not in body


async def test_staff_without_a_role_reads_only_itself(gateway: Gateway) -> None:
    login = gateway.named("newcomer")
    await open_account(CallerKind.STAFF, login, now=NOW)
    token = await gateway.token_of(login)
    body = (await gateway.ask("{ staff { login name roles } }", token=token)).json()
    assert body == {"data": {"staff": {"login": login, "name": login, "roles": []}}}
    body = (await gateway.ask("{ staff { auditLog { nodes { seq } } } }", token=token)).json()
    assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_shops_and_partners_read_themselves(gateway: Gateway) -> None:
    query = "{ partner { code name scopes } }"
    shop = gateway.named("corner-shop")
    for token, expected in (
        (await gateway.shop(), (shop, ["coupons:use", "points:hold", "purchases:write"])),
        (await gateway.shop("points:hold"), (shop, ["points:hold"])),
        (await gateway.partner(), ("arcade", ["rewards:write"])),
    ):
        body = (await gateway.ask(query, token=token)).json()
        code, scopes = expected
        assert body == {"data": {"partner": {"code": code, "name": code, "scopes": scopes}}}
    alice = await gateway.sign_in()
    for other, refused in (
        (None, "UNAUTHENTICATED"),
        (alice.access_token, "FORBIDDEN"),
        (await gateway.staff(), "FORBIDDEN"),
    ):
        body = (await gateway.ask(query, token=other)).json()
        assert body["errors"][0]["extensions"]["code"] == refused


LOG = """query($first: Int, $after: String) { staff { auditLog(first: $first, after: $after) {
    edges { cursor }
    nodes { seq at actor action target { kind id } before after requestId hash }
    pageInfo { hasNextPage endCursor } } } }"""


async def test_an_auditor_reads_the_log_page_by_page(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await look(gateway, {"id": alice.member_id})
    code = gateway.named("kiosk")
    await open_account(CallerKind.SHOP, code, "points:hold", now=NOW)
    token = await gateway.token_of(CLERK, StaffRole.AUDITOR)

    async def page(**variables: Any) -> Any:
        body = (await gateway.ask(LOG, variables, token=token)).json()
        assert "errors" not in body, body
        return body["data"]["staff"]["auditLog"]

    newest, before = reversed(await log(2))
    first = await page(first=1)
    assert first["nodes"] == [
        {
            "seq": newest.seq,
            "at": "2026-03-01T12:00:00Z",
            "actor": "cli:tests",
            "action": "account.register",
            "target": {"kind": "account", "id": code},
            "before": None,
            "after": '{"enabled":true,"grants":["points:hold"],"kind":"shop",'
            '"tokensNotBefore":null}',
            "requestId": newest.request_id,
            "hash": newest.hash.hex(),
        }
    ]
    assert first["pageInfo"] == {
        "hasNextPage": True,
        "endCursor": cursor(f'["audit",{newest.seq}]'),
    }
    [second] = (await page(first=1, after=first["pageInfo"]["endCursor"]))["nodes"]
    assert (second["seq"], second["action"]) == (before.seq, "member.read")
    assert second["target"] == {"kind": "member", "id": alice.member_id}
    last = await page(first=20, after=cursor('["audit",2]'))
    assert [node["seq"] for node in last["nodes"]] == [1]
    assert last["pageInfo"]["hasNextPage"] is False


async def test_nothing_is_answered_of_a_member_when_the_log_cannot_be_written(
    gateway: Gateway,
) -> None:
    alice = await gateway.sign_in()
    token = await gateway.staff()
    query = "query($by: MemberRef!) { staff { login member(by: $by) { id nickname } } }"
    await execute("ALTER TABLE audit_entry RENAME TO audit_entry_away")
    try:
        body = (await gateway.ask(query, {"by": {"id": alice.member_id}}, token=token)).json()
    finally:
        await execute("ALTER TABLE audit_entry_away RENAME TO audit_entry")
    assert body["data"] == {"staff": {"login": CLERK, "member": None}}
    assert [error["extensions"]["code"] for error in body["errors"]] == ["INTERNAL"]


async def test_a_disabled_person_is_out_with_the_next_request(gateway: Gateway) -> None:
    login = gateway.named("leaver")
    await open_account(CallerKind.STAFF, login, "support", now=NOW)
    token = await gateway.token_of(login)
    assert (await gateway.ask("{ staff { login } }", token=token)).status_code == 200
    await disable_account(login, by=OPERATOR, now=NOW)
    response = await gateway.ask("{ staff { login } }", token=token)
    assert response.status_code == 401
    [error] = response.json()["errors"]
    assert (error["extensions"]["code"], error["extensions"]["reason"]) == (
        "UNAUTHENTICATED",
        "revoked",
    )
