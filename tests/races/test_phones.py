"""Races about phone numbers: one code lets one in, one number leads to one member."""

from __future__ import annotations

import asyncio
import sys
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from domain.access import AccessTokens, KeyRing
from domain.errors import SignInCodeInvalid
from domain.members import (
    BoundElsewhere,
    ByExternalReference,
    Member,
    PhoneKeyFile,
    PhoneVault,
    RequestSignInCode,
    SignedIn,
    SignInWithPhone,
    bind_phone,
    phone_binding,
    phones,
    phones_of,
    register_external_members,
    request_sign_in_code,
    sign_in_with_phone,
    use_phone_keys,
)
from domain.members import phone_keys as keeping
from domain.members.codes import Codes, Compared
from domain.members.phone_keys import new_phone_key
from domain.storage import fetch_one
from domain.texting import TextMessage
from tests.domain.access.fixtures import NOW
from tests.domain.members.fixtures import announced, count
from tests.races.contention import Gate

PHONE = "+8613800138000"
CROWD = 20
# Everybody has come as far as the code before the first may spend a try of it.
NO_TRY_IS_SPENT = "LOCK TABLE sign_in_code IN SHARE MODE"


class Telephone:
    """A telephone; its owner reads the newest code."""

    code = ""

    async def send(self, phone: str, message: TextMessage) -> None:
        """Ring."""
        self.code = message.values["code"]


@pytest.fixture
def phone_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(keeping, "_in_force", None)
    path = tmp_path / "phone-keys.json"
    use_phone_keys(PhoneKeyFile(path, now=NOW, create_missing=True))
    keeping.phone_vault()
    return path


async def a_code() -> str:
    telephone = Telephone()
    await request_sign_in_code(RequestSignInCode(phone=PHONE), texts=telephone, now=NOW)
    return telephone.code


async def test_of_twenty_from_two_processes_one_is_let_in(
    tokens: AccessTokens, ring: KeyRing, gate: Gate, postgres: str, phone_keys: Path
) -> None:
    code = await a_code()
    await gate.hold(NO_TRY_IS_SPENT)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.races.phoning", postgres, str(ring.path), str(phone_keys)),
        *(PHONE, code, str(CROWD // 2)),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    command = SignInWithPhone(phone=PHONE, code=code)
    crowd = asyncio.gather(
        *(sign_in_with_phone(command, tokens=tokens, now=NOW) for _ in range(CROWD // 2)),
        return_exceptions=True,
    )
    await gate.open(waiting=CROWD)
    output, _ = await process.communicate()
    assert process.returncode == 0
    here = [one for one in await crowd if isinstance(one, SignedIn)]
    refused = [one for one in await crowd if isinstance(one, SignInCodeInvalid)]
    elsewhere = orjson.loads(output.splitlines()[-1])
    assert len(here) + len(refused) == CROWD // 2
    assert [one.is_new_member for one in here] + [is_new for _, is_new in elsewhere] == [True]
    assert await count("member") == await count("member_session") == 1
    assert [kind for kind, _ in await announced()] == ["MemberJoined"]
    row = await fetch_one("SELECT digest, tries_left FROM sign_in_code")
    assert row is not None
    assert (row["digest"], row["tries_left"]) == (None, 0)


async def test_a_code_that_were_not_used_up_would_be_found(
    tokens: AccessTokens, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: the code is looked at once more, and left where it is."""

    async def look(codes: Codes, compared: Compared, *, now: datetime) -> None:
        found = await fetch_one(
            "SELECT 1 AS x FROM sign_in_code WHERE digest = $1", compared.digest
        )
        if found is None:
            raise codes.invalid()

    monkeypatch.setattr(Codes, "use", look)
    command = SignInWithPhone(phone=PHONE, code=await a_code())
    answers = await asyncio.gather(
        *(sign_in_with_phone(command, tokens=tokens, now=NOW) for _ in range(CROWD)),
        return_exceptions=True,
    )
    assert len([one for one in answers if isinstance(one, SignedIn)]) == 5


async def test_of_two_members_who_bind_a_number_at_once_one_has_it(postgres: str) -> None:
    refs = [ByExternalReference(f"member {number}") for number in range(CROWD)]
    members = list((await register_external_members(refs, now=NOW)).values())
    answers = await asyncio.gather(*(bind_phone(one, PHONE, now=NOW) for one in members))
    [winner] = [one for one in answers if isinstance(one, Member)]
    elsewhere = [one for one in answers if isinstance(one, BoundElsewhere)]
    assert elsewhere == [BoundElsewhere(winner.id)] * (CROWD - 1)
    assert await phones_of(members) == {winner.id: PHONE}
    assert await count("member_phone") == 1


@pytest.mark.parametrize("locked", [True, False], ids=["locked", "a planted bug: no lock"])
async def test_a_number_that_is_bound_while_keys_change_leads_to_one_member(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    """Half of them write with the old keys and half with the new ones; each knows both."""
    if not locked:
        monkeypatch.setattr(phone_binding, "lock_phone", _look_away)
    refs = [ByExternalReference(f"member {number}") for number in range(CROWD)]
    members = list((await register_external_members(refs, now=NOW)).values())
    old, new = new_phone_key(NOW), new_phone_key(NOW)
    vaults = [PhoneVault((old, new)), PhoneVault((new, old))]
    mine = ContextVar[PhoneVault]("mine")
    monkeypatch.setattr(phones, "phone_vault", mine.get)

    async def bind(number: int, member_id: UUID) -> Member | BoundElsewhere:
        mine.set(vaults[number % 2])
        return await bind_phone(member_id, PHONE, now=NOW)

    # All have looked for the number, or wait for who may, before the first is written.
    await gate.hold("LOCK TABLE member_identity IN SHARE MODE")
    crowd = asyncio.gather(*(bind(*one) for one in enumerate(members)))
    await gate.open(waiting=CROWD)
    winners = [one.id for one in await crowd if isinstance(one, Member)]
    assert len(winners) == await count("member_phone") == (1 if locked else 2)
    mine.set(vaults[0])
    assert await phones_of(members) == dict.fromkeys(winners, PHONE)


async def _look_away(phone: str) -> None:
    """Lock nothing."""
