"""API clients on both databases: registered, given tokens, ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from domain.access import (
    AccessTokens,
    CallerKind,
    InvalidAccessToken,
    RegisterClient,
    authenticate_client,
    disable_client,
    find_client,
    issue_client_token,
    register_client,
    revoke_client_tokens,
)
from domain.errors import AccountUnknown, CodeTaken, InvalidInput, ScopeNotGranted
from domain.storage import fetch_all, observed_statements
from tests.domain.access.fixtures import NOW

pytestmark = pytest.mark.usefixtures("database")

SHOP = RegisterClient(
    code="shop-1",
    name="茶馆 ☕ محل",
    kind=CallerKind.SHOP,
    scopes=frozenset({"purchases:write", "coupons:use"}),
)
SECOND = timedelta(seconds=1)


async def kept() -> list[dict[str, object]]:
    return [dict(row) for row in await fetch_all("SELECT * FROM api_client ORDER BY code")]


async def test_a_client_is_registered_once_and_found_as_it_was_made() -> None:
    made = await register_client(SHOP, now=NOW)
    assert (made.code, made.name, made.kind, made.scopes) == (
        "shop-1",
        "茶馆 ☕ محل",
        CallerKind.SHOP,
        SHOP.scopes,
    )
    assert (made.created_at, made.disabled_at) == (NOW, None)
    assert await find_client("shop-1") == made
    assert await register_client(SHOP, now=NOW + SECOND) == made
    assert len(await kept()) == 1


OTHERS = [
    replace(SHOP, name="another"),
    replace(SHOP, kind=CallerKind.PARTNER),
    replace(SHOP, scopes=frozenset({"purchases:write"})),
]


async def test_a_code_that_is_taken_stays_as_it_is() -> None:
    await register_client(SHOP, now=NOW)
    before = await kept()
    for other in OTHERS:
        with pytest.raises(CodeTaken) as refusal:
            await register_client(other, now=NOW)
        assert (refusal.value.account, refusal.value.field) == ("shop-1", ("code",))
    assert await kept() == before


BREAKS_A_RULE = [
    (replace(SHOP, kind=CallerKind.MEMBER), "kind"),
    (replace(SHOP, kind=CallerKind.STAFF), "kind"),
    (replace(SHOP, code=""), "code"),
    (replace(SHOP, code="a\x00"), "code"),
    (replace(SHOP, code="a" * 65), "code"),
    (replace(SHOP, name=""), "name"),
    (replace(SHOP, name="a\x00b"), "name"),
    (replace(SHOP, name="a" * 129), "name"),
    (replace(SHOP, scopes=frozenset({"purchases:write coupons:use"})), "scopes"),
    (replace(SHOP, scopes=frozenset({""})), "scopes"),
    (replace(SHOP, scopes=frozenset({"a:b\n"})), "scopes"),
    (replace(SHOP, scopes=frozenset({"a" * 65})), "scopes"),
]


async def test_what_breaks_a_rule_registers_nobody() -> None:
    for command, field in BREAKS_A_RULE:
        with pytest.raises(InvalidInput) as refusal:
            await register_client(command, now=NOW)
        assert refusal.value.field == (field,), command
    assert await kept() == []


async def test_a_token_holds_all_scopes_or_those_asked_for(tokens: AccessTokens) -> None:
    made = await register_client(SHOP, now=NOW)
    token, expires_at = await issue_client_token("shop-1", tokens=tokens, now=NOW)
    caller = tokens.verify(token, NOW)
    assert (caller.kind, caller.subject, caller.scopes) == (CallerKind.SHOP, made.id, SHOP.scopes)
    assert expires_at == (NOW + timedelta(minutes=15)).replace(microsecond=0)

    few = frozenset({"purchases:write"})
    token, expires_at = await issue_client_token(
        "shop-1", scopes=few, ttl=timedelta(days=1), tokens=tokens, now=NOW
    )
    assert tokens.verify(token, NOW).scopes == few
    assert expires_at == (NOW + timedelta(days=1)).replace(microsecond=0)


async def test_no_token_for_scopes_that_are_not_held(tokens: AccessTokens) -> None:
    await register_client(SHOP, now=NOW)
    with pytest.raises(ScopeNotGranted) as refusal:
        await issue_client_token(
            "shop-1",
            scopes=frozenset({"purchases:write", "rewards:write", "points:hold"}),
            tokens=tokens,
            now=NOW,
        )
    assert refusal.value.missing == ("points:hold", "rewards:write")


async def test_unknown_codes(tokens: AccessTokens) -> None:
    await register_client(SHOP, now=NOW)
    before = await kept()
    for code in ("nobody", "", "a\x00", "a\ud800", "SHOP-1", "a" * 65):
        assert await find_client(code) is None
        with pytest.raises(AccountUnknown):
            await issue_client_token(code, tokens=tokens, now=NOW)
        with pytest.raises(AccountUnknown):
            await disable_client(code, now=NOW)
        with pytest.raises(AccountUnknown):
            await revoke_client_tokens(code, now=NOW)
    assert await kept() == before


async def test_a_client_is_authenticated_in_one_statement(tokens: AccessTokens) -> None:
    made = await register_client(SHOP, now=NOW)
    token, _ = await issue_client_token("shop-1", tokens=tokens, now=NOW)
    with observed_statements() as statements:
        assert await authenticate_client(tokens.verify(token, NOW)) == made
    assert len(statements) == 1


async def revoked(tokens: AccessTokens, token: str) -> bool:
    try:
        await authenticate_client(tokens.verify(token, NOW + SECOND))
    except InvalidAccessToken as refusal:
        return refusal.reason == "revoked"
    return False


async def test_a_disabled_client_is_shut_out_at_once_and_for_good(tokens: AccessTokens) -> None:
    await register_client(SHOP, now=NOW)
    token, _ = await issue_client_token("shop-1", tokens=tokens, now=NOW)
    await disable_client("shop-1", now=NOW + SECOND)
    assert await revoked(tokens, token)
    with pytest.raises(AccountUnknown):
        await issue_client_token("shop-1", tokens=tokens, now=NOW + SECOND)
    with pytest.raises(CodeTaken):
        await register_client(SHOP, now=NOW + SECOND)

    disabled = await find_client("shop-1")
    assert disabled is not None
    assert disabled.disabled_at == NOW + SECOND


async def test_revoked_tokens_end_and_new_ones_of_the_same_second_are_good(
    tokens: AccessTokens,
) -> None:
    await register_client(SHOP, now=NOW)
    old, _ = await issue_client_token("shop-1", tokens=tokens, now=NOW)
    revocation = NOW + timedelta(microseconds=1)
    await revoke_client_tokens("shop-1", now=revocation)
    new, _ = await issue_client_token("shop-1", tokens=tokens, now=revocation)
    assert await revoked(tokens, old)
    assert not await revoked(tokens, new)


async def test_a_token_of_a_client_that_is_not_there(tokens: AccessTokens) -> None:
    made = await register_client(SHOP, now=NOW)
    too_much, _ = tokens.issue(CallerKind.SHOP, made.id, scopes=frozenset({"points:hold"}), now=NOW)
    other_kind, _ = tokens.issue(CallerKind.PARTNER, made.id, now=NOW)
    nobody, _ = tokens.issue(CallerKind.SHOP, UUID(int=1), now=NOW)
    good, _ = tokens.issue(CallerKind.SHOP, made.id, now=NOW)
    assert [await revoked(tokens, token) for token in (too_much, other_kind, nobody, good)] == [
        True,
        True,
        True,
        False,
    ]
