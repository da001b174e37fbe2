"""The key set's file: made once, closed to others, seen by every ring that reads it."""

from __future__ import annotations

import stat
import threading
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
import structlog.testing

from domain.access import KeyLifetimes, KeyRing, KeySetInvalid, Rotation, create_key_set
from domain.access.key_set import from_json
from tests.domain.access.fixtures import NOW

LATER = NOW + KeyLifetimes().lead


def test_a_missing_file_is_an_error_unless_it_may_be_made(key_path: Path) -> None:
    with pytest.raises(KeySetInvalid, match="No such file"):
        KeyRing(key_path, now=NOW)
    assert not key_path.exists()

    made = KeyRing(key_path, now=NOW, create_missing=True)
    read = KeyRing(key_path, now=NOW)
    assert len(made.jwks()["keys"]) == 1
    assert read.jwks() == made.jwks()
    assert read.signing_key() == made.signing_key()
    assert made.signing_key().signing_since == NOW


def test_an_existing_file_is_left_alone(ring: KeyRing, key_path: Path) -> None:
    before = key_path.read_bytes()
    assert create_key_set(key_path, now=NOW) is False
    KeyRing(key_path, now=NOW, create_missing=True)
    assert key_path.read_bytes() == before


def test_the_file_is_the_owners_alone_after_each_write(ring: KeyRing, key_path: Path) -> None:
    assert stat.S_IMODE(key_path.stat().st_mode) == 0o600
    ring.rotate(NOW)
    assert stat.S_IMODE(key_path.stat().st_mode) == 0o600
    # Nothing but the set and its lock is left behind.
    assert sorted(path.name for path in key_path.parent.iterdir()) == [
        ".access.json.lock",
        "access.json",
    ]


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o644])
def test_a_file_that_is_open_to_others_is_refused(ring: KeyRing, key_path: Path, mode: int) -> None:
    key_path.chmod(mode)
    with pytest.raises(KeySetInvalid, match="chmod 600"):
        KeyRing(key_path, now=NOW)


def test_a_mounted_secret_that_the_group_may_read_serves(ring: KeyRing, key_path: Path) -> None:
    key_path.chmod(0o440)
    assert KeyRing(key_path, now=NOW).jwks() == ring.jwks()


def test_many_makers_make_one_set(key_path: Path) -> None:
    count = 8
    together = threading.Barrier(count)
    kids: list[str] = []

    def make() -> None:
        together.wait(timeout=10)
        kids.append(KeyRing(key_path, now=NOW, create_missing=True).signing_key().kid)

    threads = [threading.Thread(target=make) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert len(kids) == count
    assert len(set(kids)) == 1


def test_a_rotation_reaches_another_ring_at_once(ring: KeyRing, key_path: Path) -> None:
    other = KeyRing(key_path, now=NOW)
    first = ring.signing_key().kid

    assert ring.rotate(NOW) is Rotation.PUBLISHED
    published = [jwk["kid"] for jwk in other.jwks()["keys"]]
    assert len(published) == 2
    assert published[0] == first
    assert other.signing_key().kid == first

    assert other.rotate(NOW) is Rotation.WAITING
    assert other.rotate(LATER) is Rotation.SIGNING
    assert ring.signing_key().kid == published[1]
    assert [jwk["kid"] for jwk in ring.jwks()["keys"]] == published


def test_waiting_writes_nothing(ring: KeyRing, key_path: Path) -> None:
    ring.rotate(NOW)
    before = key_path.stat()
    generation = ring.generation
    assert ring.rotate(LATER - timedelta(microseconds=1)) is Rotation.WAITING
    assert (key_path.stat().st_ino, key_path.stat().st_mtime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
    )
    assert ring.generation == generation


def test_a_retired_key_verifies_until_its_tokens_have_expired(ring: KeyRing) -> None:
    old = ring.signing_key().kid
    ring.rotate(NOW)
    ring.rotate(LATER)
    last = LATER + ring.lifetimes.token_life_max + ring.lifetimes.leeway
    assert ring.verifying_key(old, now=last) is not None
    assert ring.verifying_key(old, now=last + timedelta(microseconds=1)) is None
    assert ring.verifying_key("unknown", now=NOW) is None


@pytest.mark.parametrize("damage", ["truncated", "removed", "opened"])
def test_damage_is_reported_once_and_the_last_good_set_stays(
    ring: KeyRing, key_path: Path, damage: str
) -> None:
    kid = ring.signing_key().kid
    good = key_path.read_bytes()
    match damage:
        case "truncated":
            key_path.write_bytes(good[: len(good) // 2])
        case "removed":
            key_path.unlink()
        case "opened":
            # Opening alone does not change the stamp: a set that was read is in force anyhow.
            key_path.write_bytes(good + b"\n")
            key_path.chmod(0o666)
    with structlog.testing.capture_logs() as logs:
        assert ring.signing_key().kid == kid
        assert ring.signing_key().kid == kid
    assert [(log["event"], log["log_level"]) for log in logs] == [("key_set_not_reloaded", "error")]

    key_path.unlink(missing_ok=True)
    create_key_set(key_path, now=NOW)
    assert ring.signing_key().kid != kid


def test_no_secret_is_in_the_public_set(ring: KeyRing, key_path: Path) -> None:
    (private,) = from_json(key_path.read_bytes())
    assert private.private.private_bytes_raw() == ring.signing_key().private.private_bytes_raw()
    (jwk,) = orjson.loads(orjson.dumps(ring.jwks()))["keys"]
    assert sorted(jwk) == ["alg", "crv", "kid", "kty", "use", "x"]
