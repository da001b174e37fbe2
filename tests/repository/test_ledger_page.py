"""The examples of docs/ledger.md are what the ledger does."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from domain.errors import InsufficientPoints
from domain.ledger import (
    NEVER,
    AfterMonths,
    Earn,
    Redeem,
    Source,
    expires_at,
    policy_from_json,
)
from domain.ledger.book import Book
from domain.ledger.chain import GENESIS, moment_text
from domain.ledger.entries import Entry
from domain.purchases.rules import EarningLine, points_earned
from tests.repository.tree import ROOT

PAGE = (ROOT / "docs" / "ledger.md").read_text()
SHANGHAI = ZoneInfo("Asia/Shanghai")
MEMBER = UUID("01a20561-c68e-7607-9dc0-72a415743b10")
PURCHASE = Source(kind="purchase", reference="A-1001")
REWARD = Source(kind="reward", reference="coupon-10")


def shown(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def no_salt() -> bytes:
    return bytes(16)


def march(day: int) -> datetime:
    return datetime(2026, 3, day, 2, tzinfo=UTC)


def earned(book: Book, day: int, points: int, *, expires: datetime, waits: int = 0) -> None:
    command = Earn(
        member_id=MEMBER,
        points=points,
        source=PURCHASE,
        effective_at=march(day),
        matures_at=march(day) + timedelta(days=waits),
        expires_at=expires,
    )
    decisions.earn(book, command, now=march(day), salt=no_salt)


def redeemed(book: Book, points: int, *, now: datetime) -> None:
    book.settle(now=now, salt=no_salt)
    command = Redeem(member_id=MEMBER, points=points, source=REWARD)
    decisions.redeem(book, command, now=now, salt=no_salt)


def worked_through() -> Book:
    book = Book(member_id=MEMBER, recorded_at=march(1))
    earned(book, 1, 100, expires=datetime(2026, 12, 31, 16, tzinfo=UTC))
    earned(book, 2, 50, expires=datetime(2026, 11, 30, 16, tzinfo=UTC))
    earned(book, 3, 30, expires=NEVER, waits=7)
    redeemed(book, 120, now=march(5))
    return book


def journal(book: Book) -> Iterator[str]:
    available = pending = 0
    for entry in book.entries:
        available += entry.changes.available
        pending += entry.changes.pending
        assert entry.balance_after == available
        draws = [draw for draw in book.draws if draw.entry_seq == entry.seq]
        taken = ", ".join(f"lot {draw.lot_seq}: {draw.amount}" for draw in draws)
        moments = f"{shown(entry.effective_at)} | {shown(entry.recorded_at)}"
        cells = f"| {entry.seq} | {entry.kind} | {entry.amount} | {available} | {pending} "
        yield f"{cells}| {moments} | {taken}".rstrip() + " |"


def test_the_account_worked_through() -> None:
    book = worked_through()
    redeemed(book, 30, now=datetime(2027, 1, 2, 2, tzinfo=UTC))
    told = re.findall(r"^\| \d+ \| [A-Z]+ \| .+\|$", PAGE, flags=re.MULTILINE)
    assert told == list(journal(book))


def test_the_redemption_that_would_have_been_refused() -> None:
    with pytest.raises(InsufficientPoints) as refused:
        redeemed(worked_through(), 31, now=datetime(2027, 1, 2, 2, tzinfo=UTC))
    assert (refused.value.available, refused.value.shortfall) == (30, 1)


def test_the_table_of_expiry_policies() -> None:
    rows = re.findall(r"^\| `(\{.+\})` \| (\S+Z) \| (\S+) \| (\S+Z) \|$", PAGE, flags=re.MULTILINE)
    assert len(rows) == 7
    for policy, earned_at, last_day, ends in rows:
        expected = expires_at(
            policy_from_json(json.loads(policy)),
            earned_at=datetime.fromisoformat(earned_at),
            zone=SHANGHAI,
        )
        midnight = datetime.combine(date.fromisoformat(last_day), time(0), tzinfo=SHANGHAI)
        assert shown(expected) == ends == shown(midnight + timedelta(days=1)), policy


@pytest.mark.parametrize(("paid_fen", "points"), [(26_600, 350), (25_600, 336)])
def test_the_example_of_earning(paid_fen: int, points: int) -> None:
    lines = [EarningLine(16_800, 1_500), EarningLine(9_800, 1_000)]
    assert points_earned(lines, paid_fen=paid_fen, multiplier_permille=1_000) == points
    assert f"**{points}**" in PAGE


def vector() -> list[Entry]:
    """The two entries of the page, made by the ledger itself."""
    book = Book(member_id=MEMBER, recorded_at=datetime(2026, 11, 22, 2, 30, 0, 250_000, tzinfo=UTC))
    placed_at = datetime(2026, 11, 22, 2, 15, tzinfo=UTC)
    earning = Earn(
        member_id=MEMBER,
        points=350,
        source=PURCHASE,
        effective_at=placed_at,
        expires_at=expires_at(AfterMonths(12), earned_at=placed_at, zone=SHANGHAI),
    )
    spending = Redeem(member_id=MEMBER, points=300, source=REWARD, reason="兑换：10 元优惠券")
    return [
        decisions.earn(book, earning, now=book.recorded_at, salt=lambda: bytes(range(16))),
        book.redeem(
            spending,
            now=datetime(2026, 11, 22, 4, tzinfo=UTC),
            salt=lambda: bytes(range(16, 32)),
        ),
    ]


def test_the_test_vector_can_be_followed_with_a_json_and_a_sha256_of_anyone() -> None:
    documents = re.findall(r"^```json\n(.+)\n```$", PAGE, flags=re.MULTILINE)
    digests = re.findall(r"^    ([0-9a-f]{64})$", PAGE, flags=re.MULTILINE)
    salts = re.findall(r"salt `([0-9a-f]{32})`", PAGE)
    before = GENESIS
    for number, entry in enumerate(vector()):
        texts, content = documents[2 * number : 2 * number + 2]
        for text in (texts, content):
            canonical = json.dumps(
                json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False
            )
            assert canonical == text
        commitment = hashlib.sha256(bytes.fromhex(salts[number]) + texts.encode()).hexdigest()
        content_hash = hashlib.sha256(content.encode()).digest()
        before = hashlib.sha256(before + content_hash).digest()
        assert digests[3 * number : 3 * number + 3] == [
            commitment,
            content_hash.hex(),
            before.hex(),
        ]
        assert entry.salt.hex() == salts[number]
        assert entry.text_commitment.hex() == commitment == json.loads(content)["texts"]
        assert entry.content_hash == content_hash
        assert entry.hash == before
        assert moment_text(entry.recorded_at) == json.loads(content)["recordedAt"]
