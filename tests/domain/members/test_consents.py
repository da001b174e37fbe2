"""What a member said last of each purpose is found however often they changed their mind."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any, Final

import orjson
import pytest
from uuid_utils.compat import uuid7

from domain.members import Consent, consents
from domain.storage import dialect, execute, fetch_all
from tests.domain.access.fixtures import NOW
from tests.domain.members.test_phones import a_member

pytestmark = pytest.mark.usefixtures("database")

PURPOSES: Final = ("marketing", "partner:fkhd", "behavior_tracking", "Terms")
TOGGLES: Final = 300


def rows_of(plan: dict[str, Any]) -> int:
    """The rows that a plan read in tables, whichever way."""
    own = 0
    if "Relation Name" in plan:
        dropped = plan.get("Rows Removed by Filter", 0)
        own = (plan["Actual Rows"] + dropped) * plan["Actual Loops"]
    return own + sum(map(rows_of, plan.get("Plans", [])))


async def test_the_newest_of_each_purpose_counts_and_no_others_are_read() -> None:
    alice, bob = await a_member("alice"), await a_member("bob")
    assert await consents(alice) == []
    module = import_module("domain.members.consents")
    rows = [
        {
            "member_id": member_id,
            "id": uuid7(),
            "purpose": purpose,
            "granted": number % 2 == (at % 2),
            "version": str(number),
            "at": NOW + timedelta(seconds=number),
        }
        for member_id in (alice, bob)
        for at, purpose in enumerate(PURPOSES)
        for number in range(TOGGLES)
    ]
    await module._CONSENTS.insert(rows)
    last = TOGGLES - 1
    assert await consents(alice) == [
        Consent(
            purpose=purpose,
            granted=granted,
            version=str(last),
            at=NOW + timedelta(seconds=last),
        )
        for purpose, granted in (
            ("Terms", True),
            ("behavior_tracking", False),
            ("marketing", False),
            ("partner:fkhd", True),
        )
    ]
    if dialect() == "postgres":
        await execute("ANALYZE member_consent")
        [row] = await fetch_all(f"EXPLAIN (ANALYZE, FORMAT JSON) {module._NEWEST_OF_EACH}", alice)
        [plan] = orjson.loads(row["QUERY PLAN"])
        # Of each purpose one to find it, one that is its newest, and its row thrice; of 1,200.
        assert rows_of(plan["Plan"]) <= 6 * len(PURPOSES)
    else:
        plan_of = await fetch_all(f"EXPLAIN QUERY PLAN {module._NEWEST_OF_EACH}", alice)
        told = str([row["detail"] for row in plan_of])
        assert "member_consent_newest (member_id=? AND purpose=?)" in told
        assert "(member_id=? AND purpose>?)" in told
