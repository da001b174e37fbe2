"""Staff accounts on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from domain.access import (
    AccessTokens,
    CallerKind,
    InvalidAccessToken,
    RegisterStaff,
    authenticate_staff,
    disable_staff,
    find_staff,
    issue_staff_token,
    register_staff,
    revoke_staff_tokens,
)
from domain.errors import AccountUnknown, CodeTaken, InvalidInput
from domain.storage import fetch_all, observed_statements
from tests.domain.access.fixtures import NOW

pytestmark = pytest.mark.usefixtures("database")

LI = RegisterStaff(login="li.na", name="李娜", roles=frozenset({"service", "points"}))
SECOND = timedelta(seconds=1)


async def kept() -> list[dict[str, object]]:
    return [dict(row) for row in await fetch_all("SELECT * FROM staff_account ORDER BY login")]


async def test_an_account_is_registered_once_and_found_as_it_was_made() -> None:
    made = await register_staff(LI, now=NOW)
    assert (made.login, made.name, made.roles) == ("li.na", "李娜", LI.roles)
    assert (made.created_at, made.disabled_at) == (NOW, None)
    assert await find_staff("li.na") == made
    assert await register_staff(LI, now=NOW + SECOND) == made
    with pytest.raises(CodeTaken):
        await register_staff(replace(LI, roles=frozenset({"service"})), now=NOW)
    assert [row["roles"] for row in await kept()] == ["points service"]


async def test_what_breaks_a_rule_registers_nobody() -> None:
    for command, field in (
        (replace(LI, login="李"), "login"),
        (replace(LI, login=""), "login"),
        (replace(LI, name="a\x00b"), "name"),
        (replace(LI, roles=frozenset({"Service"})), "roles"),
    ):
        with pytest.raises(InvalidInput) as refusal:
            await register_staff(command, now=NOW)
        assert refusal.value.field == (field,)
    assert await kept() == []


async def test_a_token_holds_the_roles_and_is_authenticated_in_one_statement(
    tokens: AccessTokens,
) -> None:
    made = await register_staff(LI, now=NOW)
    token, expires_at = await issue_staff_token("li.na", tokens=tokens, now=NOW)
    assert expires_at == (NOW + timedelta(minutes=15)).replace(microsecond=0)
    caller = tokens.verify(token, NOW)
    assert (caller.kind, caller.subject, caller.roles) == (CallerKind.STAFF, made.id, LI.roles)
    with observed_statements() as statements:
        assert await authenticate_staff(caller) == made
    assert len(statements) == 1


async def revoked(tokens: AccessTokens, token: str) -> bool:
    try:
        await authenticate_staff(tokens.verify(token, NOW + SECOND))
    except InvalidAccessToken as refusal:
        return refusal.reason == "revoked"
    return False


async def test_whoever_is_disabled_is_shut_out_at_once(tokens: AccessTokens) -> None:
    await register_staff(LI, now=NOW)
    token, _ = await issue_staff_token("li.na", tokens=tokens, now=NOW)
    await disable_staff("li.na", now=NOW + SECOND)
    assert await revoked(tokens, token)
    with pytest.raises(AccountUnknown):
        await issue_staff_token("li.na", tokens=tokens, now=NOW + SECOND)


async def test_revoked_tokens_end_and_new_ones_of_the_same_second_are_good(
    tokens: AccessTokens,
) -> None:
    await register_staff(LI, now=NOW)
    old, _ = await issue_staff_token("li.na", tokens=tokens, now=NOW)
    revocation = NOW + timedelta(microseconds=1)
    await revoke_staff_tokens("li.na", now=revocation)
    new, _ = await issue_staff_token("li.na", tokens=tokens, now=revocation)
    assert await revoked(tokens, old)
    assert not await revoked(tokens, new)


async def test_a_token_that_holds_more_than_the_account(tokens: AccessTokens) -> None:
    made = await register_staff(LI, now=NOW)
    too_much, _ = tokens.issue(CallerKind.STAFF, made.id, roles=frozenset({"owner"}), now=NOW)
    nobody, _ = tokens.issue(CallerKind.STAFF, UUID(int=1), now=NOW)
    assert await revoked(tokens, too_much)
    assert await revoked(tokens, nobody)


async def test_unknown_logins(tokens: AccessTokens) -> None:
    for login in ("nobody", "", "a\x00"):
        assert await find_staff(login) is None
        for act in (disable_staff, revoke_staff_tokens):
            with pytest.raises(AccountUnknown):
                await act(login, now=NOW)
        with pytest.raises(AccountUnknown):
            await issue_staff_token(login, tokens=tokens, now=NOW)
