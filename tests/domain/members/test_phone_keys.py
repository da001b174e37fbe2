"""The vault of phone numbers and the file of its keys."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from domain.members import PhoneKeyFile, PhoneKeysInvalid, PhoneVault, create_phone_keys
from domain.members.phone_keys import (
    PhoneKey,
    Sealed,
    new_phone_key,
    read_phone_keys,
    write_phone_keys,
)
from tests.domain.access.fixtures import NOW

PHONE = "+8613800138000"
OLD = PhoneKey(id="00000001", sealing=b"s" * 32, indexing=b"i" * 32, made_at=NOW)
NEW = PhoneKey(
    id="00000002", sealing=b"S" * 32, indexing=b"I" * 32, made_at=NOW + timedelta(days=1)
)


def test_a_sealed_number_opens_in_its_own_row_alone() -> None:
    vault = PhoneVault((OLD,))
    sealed = vault.seal(PHONE, bound_to=b"row 1")
    assert sealed.key_id == "00000001"
    assert len(sealed.content) == 12 + len(PHONE) + 16
    assert PHONE.encode() not in sealed.content
    assert vault.open(sealed, bound_to=b"row 1") == PHONE
    assert vault.seal(PHONE, bound_to=b"row 1") != sealed, "no two ciphertexts are alike"
    with pytest.raises(InvalidTag):
        vault.open(sealed, bound_to=b"row 2")
    altered = Sealed(sealed.key_id, sealed.content[:-1] + bytes([sealed.content[-1] ^ 1]))
    with pytest.raises(InvalidTag):
        vault.open(altered, bound_to=b"row 1")


def test_older_keys_open_and_find_and_the_newest_writes() -> None:
    before, after = PhoneVault((OLD,)), PhoneVault((NEW, OLD))
    sealed = before.seal(PHONE, bound_to=b"row")
    assert after.open(sealed, bound_to=b"row") == PHONE
    assert after.seal(PHONE, bound_to=b"row").key_id == "00000002"
    assert after.indexes(PHONE) == [after.index(PHONE), before.index(PHONE)]
    assert after.index(PHONE) != before.index(PHONE)
    with pytest.raises(PhoneKeysInvalid, match="the phone keys lack 00000001"):
        PhoneVault((NEW,)).open(sealed, bound_to=b"row")


def test_an_index_is_the_hmac_that_the_docs_say() -> None:
    expected = hmac.new(b"i" * 32, b"phone\0" + PHONE.encode(), hashlib.sha256).hexdigest()
    assert PhoneVault((OLD,)).index(PHONE) == expected


def test_no_secret_is_in_a_repr() -> None:
    vault = PhoneVault((OLD,))
    shown = repr((OLD, vault, vault.seal(PHONE, bound_to=b"row")))
    assert "ssss" not in shown
    assert "iiii" not in shown
    assert "content" not in shown


def test_the_file_keeps_the_keys_and_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "var" / "phone-keys.json"
    assert create_phone_keys(path, now=NOW) is True
    kept = path.read_bytes()
    assert create_phone_keys(path, now=NOW) is False
    assert path.read_bytes() == kept
    assert path.stat().st_mode & 0o777 == 0o600
    [key] = read_phone_keys(path)
    assert (len(key.id), len(key.sealing), len(key.indexing), key.made_at) == (8, 32, 32, NOW)
    assert key.sealing != key.indexing
    write_phone_keys(path, (NEW, OLD))
    assert read_phone_keys(path) == (NEW, OLD)


BROKEN = {
    "nothing": b"",
    "no keys": b'{"keys": []}',
    "no object": b"[]",
    "a short key": (
        b'{"keys": [{"id": "00000001", "sealing": "AAAA", "indexing": "AAAA",'
        b' "made_at": "2026-03-01T12:00:00+00:00"}]}'
    ),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named_and_its_content_is_not(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "phone-keys.json"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(PhoneKeysInvalid, match=r"phone-keys\.json: .*phone keys") as refused:
        read_phone_keys(path)
    assert "AAAA" not in str(refused.value)


def test_one_id_for_two_pairs_is_refused(tmp_path: Path) -> None:
    write_phone_keys(tmp_path / "keys", (OLD, OLD))
    with pytest.raises(PhoneKeysInvalid, match="each its own id"):
        read_phone_keys(tmp_path / "keys")


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    create_phone_keys(path, now=NOW)
    path.chmod(0o644)
    with pytest.raises(PhoneKeysInvalid, match="open to others"):
        read_phone_keys(path)


def test_in_development_a_missing_file_is_made_and_elsewhere_demanded(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with pytest.raises(PhoneKeysInvalid, match="No such file"):
        PhoneKeyFile(path, now=NOW).vault()
    vault = PhoneKeyFile(path, now=NOW, create_missing=True).vault()
    assert PhoneKeyFile(path, now=NOW).vault().keys == vault.keys


def test_a_running_process_takes_up_new_keys_and_outlives_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    write_phone_keys(path, (OLD,))
    file = PhoneKeyFile(path, now=NOW)
    assert file.vault().keys == (OLD,)
    write_phone_keys(path, (NEW, OLD))
    assert file.vault().keys == (NEW, OLD)
    path.write_bytes(b"{}")
    assert file.vault().keys == (NEW, OLD)
    path.unlink()
    assert file.vault().keys == (NEW, OLD)
    write_phone_keys(path, (OLD,))
    assert file.vault().keys == (OLD,)


def test_fresh_keys_differ() -> None:
    one, other = new_phone_key(NOW), new_phone_key(NOW)
    assert one.id != other.id
    assert len({one.sealing, one.indexing, other.sealing, other.indexing}) == 4
