"""How much a partner may send: a body that goes on is cut off, whatever it said of itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

from api.fake_wechat import RunningFake
from api.partners.settings import ReconciliationSettings
from domain import games
from domain.games import Reconciliation
from tests.domain.games.books import names_in
from tests.graphql.gateway import open_gateway, settings_for
from tests.graphql.test_push_rewards import Fair, open_fair
from tests.graphql.test_reconciliation import AFTERWARDS, DAY, code_of, store, upload, write


async def test_a_body_that_does_not_end_is_cut_off(
    sqlite_url: str, tmp_path: Path, fake: RunningFake
) -> None:
    bounds = ReconciliationSettings(upload_bytes_max=1_000)
    settings = settings_for(sqlite_url, tmp_path, fake)
    bounded = settings.model_copy(update={"reconciliation": bounds})
    sent = 0

    async def without_end() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10_000:
            sent += 100
            yield b"x" * 100

    async with open_gateway(bounded, fake) as gateway:
        fair = await open_fair(gateway)
        gateway.clock.advance(**AFTERWARDS)
        await write(fair)
        assert code_of(await upload(fair.platform, without_end())) == (413, "BODY_TOO_LARGE")
        assert names_in(store(gateway)) == [(await only_file(fair)).file_name]
    assert sent < 10_000


async def only_file(fair: Fair) -> Reconciliation:
    """The day of the fair, as it stands."""
    partner_id = fair.platform.partner.account_id
    found = await games.find_reconciliation(partner_id, date.fromisoformat(DAY))
    assert found is not None
    assert found.compared_at is None
    return found
