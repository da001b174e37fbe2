"""The programme has one row, or its defaults; on both databases."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from tortoise.exceptions import IntegrityError

from domain.program import DEFAULT, Programme, program, set_up
from domain.storage import execute, fetch_all, observed_statements
from tests.domain.ledger.commands import NOW

pytestmark = pytest.mark.usefixtures("database")

MERCHANT = Programme(
    name_zh="好物会员", name_en="Good Things", zone=ZoneInfo("America/New_York"), currency="USD"
)


async def test_until_it_is_set_up_the_programme_has_its_defaults() -> None:
    assert await program() == DEFAULT
    assert (DEFAULT.zone.key, DEFAULT.currency) == ("Asia/Shanghai", "CNY")


async def test_a_programme_is_set_up_and_changed_in_one_row() -> None:
    await set_up(DEFAULT, now=NOW)
    await set_up(MERCHANT, now=NOW)
    with observed_statements() as statements:
        assert await program() == MERCHANT
    assert len(statements) == 1
    assert len(await fetch_all("SELECT 1 FROM program")) == 1
    with pytest.raises(IntegrityError):
        await execute("INSERT INTO program VALUES (2, 'a', 'b', 'UTC', 'CNY', 1)")
