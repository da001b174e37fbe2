"""How members were named is kept as digests for ever, and those tell nobody who it was."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from domain.idempotency import digests, recall, remember
from domain.members import (
    ByExternalReference,
    ById,
    ByPhone,
    ByWeChat,
    MemberRef,
    PhoneKeyFile,
    PhoneKeysInvalid,
    add_pepper,
    as_named,
    create_phone_keys,
    use_phone_keys,
)
from domain.members import phone_keys as keeping
from domain.members.phone_keys import new_phone_key, read_phone_keys, write_phone_keys
from domain.storage import dialect, execute, fetch_all, transaction
from tests.domain.ledger.commands import NOW

PHONE = ByPhone("+8613800138000")
REFERENCES: list[MemberRef] = [PHONE, ByExternalReference("+8613800138000"), ByWeChat("wx0", "o-1")]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "phone-keys.json"
    monkeypatch.setattr(keeping, "_in_force", None)
    use_phone_keys(PhoneKeyFile(path, now=NOW, create_missing=True))
    return path


def of_an_older_release(path: Path) -> None:
    """The file as it was before there was a pepper."""
    keys = orjson.loads(path.read_bytes())["keys"]
    path.write_bytes(orjson.dumps({"keys": keys}))


def test_a_name_is_told_under_the_pepper_and_only_with_it(file: Path) -> None:
    named = as_named(PHONE)
    pepper = b64decode(orjson.loads(file.read_bytes())["pepper"])
    told = b'name\0["ByPhone","+8613800138000"]'
    assert named == ["ByPhone", hmac.new(pepper, told, hashlib.sha256).hexdigest()]
    keys = read_phone_keys(file)
    known = [b"", *(key.indexing for key in keys), *(key.sealing for key in keys)]
    assert named[1] not in {hmac.new(key, told, hashlib.sha256).hexdigest() for key in known}
    # What a reader of the database can try for each number there is.
    plain = digests({"member": ["ByPhone", "+8613800138000"]})
    assert digests({"member": named}) != plain
    file.unlink()
    use_phone_keys(PhoneKeyFile(file, now=NOW, create_missing=True))
    assert as_named(PHONE) != named


def test_two_ways_to_name_one_member_differ_and_an_id_stands_as_it_is(file: Path) -> None:
    assert len({tuple(as_named(one)) for one in REFERENCES}) == len(REFERENCES)
    assert as_named(ById(UUID(int=7))) == ["ById", "00000000-0000-0000-0000-000000000007"]
    assert as_named(ByExternalReference("\ud800")) == as_named(ByExternalReference("?"))


def test_a_rotation_names_members_as_before(file: Path) -> None:
    before = [as_named(one) for one in REFERENCES]
    for seconds in range(1, 4):
        fresh = new_phone_key(NOW + timedelta(seconds=seconds))
        write_phone_keys(file, (fresh, read_phone_keys(file)[0]))
        assert [as_named(one) for one in REFERENCES] == before


def test_an_older_file_is_refused_until_it_is_given_a_pepper(file: Path) -> None:
    as_named(PHONE)
    of_an_older_release(file)
    keys = read_phone_keys(file)
    with pytest.raises(PhoneKeysInvalid, match="no pepper: `create-keys` gives them one"):
        PhoneKeyFile(file, now=NOW).vault()
    assert create_phone_keys(file, now=NOW) is False
    assert read_phone_keys(file) == keys
    use_phone_keys(PhoneKeyFile(file, now=NOW))
    named = as_named(PHONE)
    add_pepper(file)
    use_phone_keys(PhoneKeyFile(file, now=NOW))
    assert as_named(PHONE) == named


def test_in_development_an_older_file_is_given_a_pepper_at_start(file: Path) -> None:
    as_named(PHONE)
    of_an_older_release(file)
    use_phone_keys(PhoneKeyFile(file, now=NOW, create_missing=True))
    named = as_named(PHONE)
    use_phone_keys(PhoneKeyFile(file, now=NOW))
    assert as_named(PHONE) == named


def test_a_broken_file_is_not_written_over(file: Path) -> None:
    as_named(PHONE)
    keys = read_phone_keys(file)
    file.write_bytes(b"{}")
    with pytest.raises(PhoneKeysInvalid, match="not phone keys"):
        write_phone_keys(file, keys)
    assert file.read_bytes() == b"{}"


@pytest.mark.usefixtures("database")
async def test_digests_of_names_from_before_are_forgotten_and_differ_from_nothing() -> None:
    plain = digests({"member": ["ByPhone", "+8613800138000"], "points": 5, "note": "member"})
    batch = digests({"orders": [[plain["member"]]]})
    other = digests({"text": "tea"})

    async def use() -> None:
        await remember("shop", {"k": (plain, 1), "b": (batch, 2), "o": (other, 3)}, now=NOW)

    await transaction(use)
    operation = import_module("migrations.idempotency.0002_names_forgotten").FORGETTING
    await execute(operation[dialect()])
    rows = await fetch_all("SELECT key, digests FROM idempotency")
    assert {row["key"]: orjson.loads(row["digests"]) for row in rows} == {
        "k": plain | {"member": ""},
        "b": {"orders": ""},
        "o": other,
    }
    named = digests({"member": as_named(PHONE), "points": 5, "note": "member"})
    assert (await recall("shop", {"k": named}))["k"].differing == ()
    altered = named | digests({"points": 6})
    assert (await recall("shop", {"k": altered}))["k"].differing == ("points",)
