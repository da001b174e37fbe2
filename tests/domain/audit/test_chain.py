"""The chain by hand: what is hashed, byte for byte."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from domain.audit.chain import GENESIS, canonical, link
from domain.audit.values import AuditEntry, Target

ENTRY = AuditEntry(
    seq=3,
    at=datetime(2026, 3, 1, 20, 0, 0, 5, tzinfo=timezone(timedelta(hours=8))),
    actor="staff:li.na",
    account_id=UUID(int=7),
    action="member.read",
    target=Target(kind="member", id="会员"),
    before=None,
    after='{"a":1}',
    request_id="r-1",
    hash=b"",
)
CANONICAL = (
    '{"account":"00000000-0000-0000-0000-000000000007","action":"member.read",'
    '"actor":"staff:li.na","after":"{\\"a\\":1}","at":"2026-03-01T12:00:00.000005Z",'
    '"before":null,"request":"r-1","seq":3,"target":["member","会员"]}'
).encode()


def test_what_is_hashed() -> None:
    assert canonical(ENTRY) == CANONICAL
    assert link(GENESIS, ENTRY) == hashlib.sha256(bytes(32) + CANONICAL).digest()


CHANGES: dict[str, Any] = {
    "seq": 4,
    "at": datetime(2026, 3, 1, 12, 0, 0, 6, tzinfo=UTC),
    "actor": "staff:li.nb",
    "account_id": None,
    "action": "member.reap",
    "target": None,
    "before": "{}",
    "after": None,
    "request_id": "r-2",
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_part_of_a_row_counts(name: str) -> None:
    assert link(GENESIS, replace(ENTRY, **{name: CHANGES[name]})) != link(GENESIS, ENTRY)


def test_the_row_before_counts_and_the_kept_hash_does_not() -> None:
    assert link(bytes([1] * 32), ENTRY) != link(GENESIS, ENTRY)
    assert link(GENESIS, replace(ENTRY, hash=b"x")) == link(GENESIS, ENTRY)
    assert CHANGES.keys() | {"hash"} == set(AuditEntry.__slots__)
