"""The rules of docs/ledger.md that need no journal: expiry, earning, refunds, the test vector."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest

from domain.ledger import (
    AfterMonths,
    Earn,
    Redeem,
    Source,
    decisions,
    expires_at,
    policy_from_json,
)
from domain.ledger.book import Book
from domain.ledger.chain import GENESIS, moment_text
from domain.ledger.entries import Entry
from domain.purchases.rules import EarningLine, points_earned
from tests.repository.ledger_notation import PAGE, SHANGHAI, table
from tests.repository.tree import ROOT

MEMBER = UUID("01a20561-c68e-7607-9dc0-72a415743b10")
PURCHASE = Source(kind="purchase", reference="A-1001")
REWARD = Source(kind="reward", reference="coupon-10")


def shown(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def test_the_table_of_expiry_policies() -> None:
    rows = re.findall(r"^\| `(\{.+\})` \| (\S+Z) \| (\S+) \| (\S+Z) \|$", PAGE, flags=re.MULTILINE)
    assert len(rows) == 9
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


def test_the_example_of_refunds() -> None:
    def earned(left_fen: int) -> int:
        line = EarningLine(999, 1_000)
        return points_earned([line], paid_fen=left_fen, multiplier_permille=1_000)

    refunded = taken = 0
    rows = table("| refund | left of the payment |")
    for refund, left, points, take, in_all in rows:
        refunded += _fen(refund)
        assert _fen(left) == 999 - refunded
        assert int(points) == earned(999 - refunded)
        assert int(take) == earned(999) - earned(999 - refunded) - taken
        taken += int(take)
        assert int(in_all) == taken
    assert (len(rows), refunded, taken) == (3, 999, earned(999))
    # What the page says of rounding each refund by itself.
    alone = [_fen(row[0]) for row in rows]
    assert [earned(fen) for fen in alone] == [0, 0, 8]
    assert [-(-fen // 100) for fen in alone] == [1, 1, 9]


def _fen(yuan: str) -> int:
    return int(yuan.replace(".", ""))


def test_the_rules_of_the_audit_are_all_told() -> None:
    """Each by its name, as the modules that check them spell it."""
    told = {
        name.strip("`")
        for row in table("| rule | what must be so |")
        for name in row[0].split(", ")
    }
    checked = "".join(
        (ROOT / "domain" / "ledger" / "auditing" / f"{module}.py").read_text()
        for module in ("following", "verification", "violations")
    )
    named = re.compile(r"""(?:StoredRule\(\s*|\.tell\(\s*|rule=)"([a-z_ ]+)\"""")
    assert told == set(named.findall(checked))


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
        decisions.redeem(
            book,
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
