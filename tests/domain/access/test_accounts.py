"""Accounts of shops, partners and staff on both databases: made, changed, given tokens, ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain import audit
from domain.access import (
    AccessTokens,
    Account,
    CallerKind,
    InvalidAccessToken,
    RegisterAccount,
    StaffRole,
    accounts,
    authenticate_account,
    change_grants,
    disable_account,
    enable_account,
    find_account,
    issue_token,
    register_account,
    revoke_tokens,
)
from domain.audit import Actor, AuditEntry, Target
from domain.errors import AccountUnknown, CodeTaken, InvalidInput, ScopeNotGranted
from domain.paging import PageRequest
from domain.storage import fetch_all, observed_statements
from tests.domain.access.fixtures import NOW, OPERATOR

pytestmark = pytest.mark.usefixtures("database")

SHOP = RegisterAccount(
    kind=CallerKind.SHOP,
    code="shop-1",
    name="茶馆 ☕ محل",
    grants=frozenset({"purchases:write", "coupons:use"}),
)
LI = RegisterAccount(
    kind=CallerKind.STAFF,
    code="li.na",
    name="李娜",
    grants=frozenset({StaffRole.SUPPORT, StaffRole.FINANCE}),
)
SECOND = timedelta(seconds=1)
BOTH = pytest.mark.parametrize("command", [SHOP, LI], ids=["shop", "staff"])


async def made(command: RegisterAccount) -> Account:
    return await register_account(command, by=OPERATOR, now=NOW)


async def kept() -> list[dict[str, object]]:
    return [dict(row) for row in await fetch_all("SELECT * FROM access_account ORDER BY code")]


async def log() -> list[AuditEntry]:
    """The audit log in the order of its making."""
    return list(reversed((await audit.entries(PageRequest(first=100))).items))


async def given(tokens: AccessTokens, code: str, **changes: Any) -> str:
    token, _ = await issue_token(code, **{"by": OPERATOR, "tokens": tokens, "now": NOW, **changes})
    return token


async def revoked(tokens: AccessTokens, token: str) -> bool:
    try:
        await authenticate_account(tokens.verify(token, NOW + SECOND))
    except InvalidAccessToken as refusal:
        return refusal.reason == "revoked"
    return False


@BOTH
async def test_an_account_is_registered_once_and_found_as_it_was_made(
    command: RegisterAccount,
) -> None:
    account = await made(command)
    assert account == Account(
        id=account.id,
        kind=command.kind,
        code=command.code,
        name=command.name,
        grants=command.grants,
        created_at=NOW,
    )
    assert await find_account(command.code) == account
    assert await register_account(command, by=OPERATOR, now=NOW + SECOND) == account
    assert len(await kept()) == 1


OTHERS = [
    replace(SHOP, name="another"),
    replace(SHOP, kind=CallerKind.PARTNER),
    replace(SHOP, grants=frozenset({"purchases:write"})),
    replace(LI, code=SHOP.code),
]


async def test_a_code_that_is_taken_stays_as_it_is() -> None:
    await made(SHOP)
    before = await kept()
    for other in OTHERS:
        with pytest.raises(CodeTaken) as refusal:
            await made(other)
        assert (refusal.value.account, refusal.value.field) == ("shop-1", ("code",))
    assert await kept() == before
    assert len(await log()) == 1


BREAKS_A_RULE = [
    (replace(SHOP, kind=CallerKind.MEMBER), "kind"),
    (replace(SHOP, code=""), "code"),
    (replace(SHOP, code="a\x00"), "code"),
    (replace(SHOP, code="a" * 65), "code"),
    (replace(LI, code="李"), "code"),
    (replace(SHOP, name=""), "name"),
    (replace(SHOP, name="a\x00b"), "name"),
    (replace(SHOP, name="a" * 129), "name"),
    (replace(SHOP, grants=frozenset({"purchases:write coupons:use"})), "grants"),
    (replace(SHOP, grants=frozenset({""})), "grants"),
    (replace(SHOP, grants=frozenset({"purchases:write\n"})), "grants"),
    (replace(SHOP, grants=frozenset({"purchases:write", "purchases:writ"})), "grants"),
    (replace(SHOP, grants=frozenset({"support"})), "grants"),
    (replace(LI, grants=frozenset({"owner"})), "grants"),
    (replace(LI, grants=frozenset({"Support"})), "grants"),
    (replace(LI, grants=frozenset({"support", "purchases:write"})), "grants"),
]


async def test_what_breaks_a_rule_registers_nobody() -> None:
    for command, field in BREAKS_A_RULE:
        with pytest.raises(InvalidInput) as refusal:
            await made(command)
        assert refusal.value.field == (field,), command
    assert await kept() == []
    assert await log() == []


async def test_accounts_are_listed_by_kind() -> None:
    shop, li = await made(SHOP), await made(LI)
    games = await made(replace(SHOP, kind=CallerKind.PARTNER, code="games"))
    li = await disable_account(li.code, by=OPERATOR, now=NOW)
    assert await accounts({CallerKind.SHOP, CallerKind.PARTNER}) == [games, shop]
    assert await accounts([CallerKind.STAFF]) == [li]


@BOTH
async def test_a_token_holds_all_grants_or_those_asked_for(
    tokens: AccessTokens, command: RegisterAccount
) -> None:
    account = await made(command)
    few = frozenset(sorted(command.grants)[:1])
    for held, caller in (
        (command.grants, tokens.verify(await given(tokens, command.code), NOW)),
        (few, tokens.verify(await given(tokens, command.code, grants=few), NOW)),
    ):
        assert (caller.kind, caller.subject) == (command.kind, account.id)
        staff = command.kind is CallerKind.STAFF
        assert (caller.roles, caller.scopes) == ((held, set()) if staff else (set(), held))
        assert caller.expires_at == (NOW + timedelta(minutes=15)).replace(microsecond=0)
        with observed_statements() as statements:
            assert await authenticate_account(caller) == account
        assert len(statements) == 1


async def test_a_token_lives_as_long_as_was_asked(tokens: AccessTokens) -> None:
    await made(SHOP)
    token, expires_at = await issue_token(
        "shop-1", by=OPERATOR, tokens=tokens, now=NOW, ttl=timedelta(days=1)
    )
    assert expires_at == (NOW + timedelta(days=1)).replace(microsecond=0)
    assert tokens.verify(token, NOW).expires_at == expires_at


async def test_no_token_for_what_is_not_held(tokens: AccessTokens) -> None:
    await made(SHOP)
    asked = frozenset({"purchases:write", "rewards:write", "points:hold"})
    with pytest.raises(ScopeNotGranted) as refusal:
        await given(tokens, "shop-1", grants=asked)
    assert refusal.value.missing == ("points:hold", "rewards:write")
    assert [entry.action for entry in await log()] == ["account.register"]


async def test_unknown_codes(tokens: AccessTokens) -> None:
    await made(SHOP)
    before = await kept()
    for code in ("nobody", "", "a\x00", "a\ud800", "SHOP-1", "a" * 65):
        assert await find_account(code) is None
        for act in (disable_account, enable_account, revoke_tokens):
            with pytest.raises(AccountUnknown):
                await act(code, by=OPERATOR, now=NOW)
        with pytest.raises(AccountUnknown):
            await change_grants(code, frozenset(), by=OPERATOR, now=NOW)
        with pytest.raises(AccountUnknown):
            await given(tokens, code)
    assert await kept() == before
    assert len(await log()) == 1


@BOTH
async def test_a_disabled_account_is_shut_out_at_once_and_its_tokens_for_good(
    tokens: AccessTokens, command: RegisterAccount
) -> None:
    await made(command)
    old = await given(tokens, command.code)
    disabled = await disable_account(command.code, by=OPERATOR, now=NOW + SECOND)
    assert disabled.disabled_at == NOW + SECOND
    assert await find_account(command.code) == disabled
    assert await revoked(tokens, old)
    with pytest.raises(AccountUnknown):
        await given(tokens, command.code)
    with pytest.raises(CodeTaken):
        await made(command)

    enabled = await enable_account(command.code, by=OPERATOR, now=NOW + SECOND)
    assert enabled.disabled_at is None
    assert enabled.grants == command.grants
    assert await revoked(tokens, old)
    assert not await revoked(tokens, await given(tokens, command.code, now=NOW + SECOND))


async def test_doing_it_twice_changes_nothing(tokens: AccessTokens) -> None:
    await made(SHOP)
    assert await enable_account("shop-1", by=OPERATOR, now=NOW) == await find_account("shop-1")
    token = await given(tokens, "shop-1")
    assert not await revoked(tokens, token)
    first = await disable_account("shop-1", by=OPERATOR, now=NOW)
    assert await disable_account("shop-1", by=OPERATOR, now=NOW + SECOND) == first


async def test_what_is_taken_away_ends_the_tokens_that_have_it(tokens: AccessTokens) -> None:
    await made(LI)
    both = await given(tokens, "li.na")
    support = await given(tokens, "li.na", grants=frozenset({"support"}))
    wanted = frozenset({"support", "auditor"})
    changed = await change_grants("li.na", wanted, by=OPERATOR, now=NOW)
    assert changed.grants == wanted
    assert [await revoked(tokens, token) for token in (both, support)] == [True, False]
    assert tokens.verify(await given(tokens, "li.na"), NOW).roles == wanted
    for grants in ({"owner"}, {"purchases:write"}):
        with pytest.raises(InvalidInput):
            await change_grants("li.na", frozenset(grants), by=OPERATOR, now=NOW)
    nothing = await change_grants("li.na", frozenset(), by=OPERATOR, now=NOW)
    assert nothing.grants == frozenset()
    assert await revoked(tokens, support)


async def test_revoked_tokens_end_and_new_ones_of_the_same_second_are_good(
    tokens: AccessTokens,
) -> None:
    await made(SHOP)
    old = await given(tokens, "shop-1")
    revocation = NOW + timedelta(microseconds=1)
    await revoke_tokens("shop-1", by=OPERATOR, now=revocation)
    new = await given(tokens, "shop-1", now=revocation)
    assert await revoked(tokens, old)
    assert not await revoked(tokens, new)


async def test_tokens_that_no_account_stands_behind(tokens: AccessTokens) -> None:
    shop, li = await made(SHOP), await made(LI)
    shops, staff = CallerKind.SHOP, CallerKind.STAFF
    forged = [
        tokens.issue(shops, shop.id, scopes=frozenset({"points:hold"}), now=NOW),
        tokens.issue(staff, li.id, roles=frozenset({"auditor"}), now=NOW),
        tokens.issue(CallerKind.PARTNER, shop.id, now=NOW),
        tokens.issue(staff, shop.id, now=NOW),
        tokens.issue(shops, li.id, now=NOW),
        tokens.issue(shops, UUID(int=1), now=NOW),
    ]
    good = [tokens.issue(shops, shop.id, now=NOW), tokens.issue(staff, li.id, now=NOW)]
    assert [await revoked(tokens, token) for token, _ in forged] == [True] * 6
    assert [await revoked(tokens, token) for token, _ in good] == [False] * 2


async def test_every_act_is_in_the_log_with_what_it_changed(tokens: AccessTokens) -> None:
    boss = Actor(name="staff:boss", account_id=UUID(int=7), request_id="r-1")
    before_and_after = {
        "account.register": (None, (True, ["coupons:use", "purchases:write"], None)),
        "account.grants": (
            (True, ["coupons:use", "purchases:write"], None),
            (True, ["points:hold"], None),
        ),
        "account.revoke_tokens": (
            (True, ["points:hold"], None),
            (True, ["points:hold"], "2026-03-01T12:00:00.123456+00:00"),
        ),
        "account.disable": (
            (True, ["points:hold"], "2026-03-01T12:00:00.123456+00:00"),
            (False, ["points:hold"], "2026-03-01T12:00:01.123456+00:00"),
        ),
        "account.enable": (
            (False, ["points:hold"], "2026-03-01T12:00:01.123456+00:00"),
            (True, ["points:hold"], "2026-03-01T12:00:01.123456+00:00"),
        ),
    }
    await register_account(SHOP, by=boss, now=NOW)
    await change_grants("shop-1", frozenset({"points:hold"}), by=boss, now=NOW)
    await revoke_tokens("shop-1", by=boss, now=NOW)
    await disable_account("shop-1", by=boss, now=NOW + SECOND)
    await enable_account("shop-1", by=boss, now=NOW + SECOND)

    def told(facts: str | None) -> Any:
        if facts is None:
            return None
        read = orjson.loads(facts)
        assert read.pop("kind") == "shop"
        return read.pop("enabled"), read.pop("grants"), read.pop("tokensNotBefore")

    entries = await log()
    assert {entry.action: (told(entry.before), told(entry.after)) for entry in entries} == (
        before_and_after
    )
    for entry in entries:
        assert (entry.actor, entry.account_id, entry.request_id) == (
            "staff:boss",
            boss.account_id,
            "r-1",
        )
        assert entry.target == Target(kind="account", id="shop-1")
        assert SHOP.name not in f"{entry}"
    issued, expires_at = await issue_token("shop-1", by=boss, tokens=tokens, now=NOW + SECOND)
    last = (await log())[-1]
    assert (last.action, last.before) == ("token.issue", None)
    assert orjson.loads(last.after or "") == {
        "expiresAt": expires_at.isoformat(),
        "grants": ["points:hold"],
    }
    assert issued not in f"{last}"
