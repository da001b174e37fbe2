"""The platform of the example, on the real gateway: what it wins arrives once, whatever dies."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from domain import games
from domain.files import FileStore
from domain.storage import fetch_all
from tests.domain.access.fixtures import OPERATOR
from tests.domain.ledger.commands import SHANGHAI
from tests.examples.park import Park
from tests.graphql.gateway import NOW
from wheelpark.delivery import AGAIN_AFTER_S, BATCH_AGAIN_AFTER_S, Delivery
from wheelpark.gateway import RECEIPTS, TryLater
from wheelpark.gateway import Gateway as PlatformGateway
from wheelpark.receipts import receipt_is_signed
from wheelpark.reconcile import NotYet, Reconciled, reconcile
from wheelpark.store import Store


async def test_what_is_won_arrives_with_a_receipt(park: Park) -> None:
    park.win("w1")
    park.win("w2")
    assert park.states() == {"w1": ("NEW", None), "w2": ("NEW", None)}
    delivery = park.delivery()
    assert await delivery.turn() is True
    assert park.states() == {"w1": ("APPLIED", None), "w2": ("APPLIED", None)}
    assert await park.available() == 40
    assert await delivery.turn() is False


async def test_an_answer_that_is_lost_is_fetched_again_by_whoever_comes_after(park: Park) -> None:
    park.win("w1")
    delivery = park.delivery()
    park.line.lost = 1
    with pytest.raises(TryLater):
        await delivery.turn()
    assert await park.available() == 20, "it took effect, though nobody here knows"
    park.win("w2")
    after = park.delivery()
    assert await after.turn() is True
    assert park.states() == {"w1": ("APPLIED", None), "w2": ("NEW", None)}
    assert await after.turn() is True
    assert await park.available() == 40
    assert park.states()["w2"] == ("APPLIED", None)
    [row] = await fetch_all("SELECT count(*) AS batches FROM reward_batch")
    assert row["batches"] == 2


async def test_what_is_refused_for_now_is_sent_again_later_and_what_is_wrong_is_not(
    park: Park,
) -> None:
    park.win("wrong", prize_code="points-900")
    await games.unbind_member(park.partner.account_id, park.session.member, now=NOW)
    park.win("early")
    delivery = park.delivery()
    await delivery.turn()
    assert park.states()["early"] == ("NEW", "NOT_BOUND")
    assert await delivery.turn() is False, "not before its time"
    await games.bind_member(park.partner.account_id, park.session.member, now=NOW)
    park.gateway.clock.advance(seconds=AGAIN_AFTER_S)
    assert await delivery.turn() is True
    assert park.states()["early"] == ("APPLIED", None)
    state, code = park.states()["wrong"]
    assert (state, code) == ("REJECTED", "PRIZE_UNKNOWN")
    assert await park.available() == 20


async def test_a_day_is_compared(park: Park) -> None:
    park.win("w1")
    park.win("w2")
    delivery = park.delivery()
    await delivery.turn()
    platform = PlatformGateway(park.settings, httpx.AsyncClient(transport=park.line))
    day = NOW.astimezone(SHANGHAI).date()
    with pytest.raises(NotYet):
        await reconcile(park.settings, park.store, platform, day)

    park.gateway.clock.advance(days=1)
    clock = park.gateway.clock
    files = FileStore(park.gateway.files.folder / "reconciliation")
    assert await games.reconcile_due(files=files, now=clock.now) >= 1
    same = await reconcile(park.settings, park.store, platform, day)
    assert same == Reconciled(theirs=2, mine=2, differences=[])

    with sqlite3.connect(park.settings.folder / "park.db") as forgetting:
        forgetting.execute("DELETE FROM win WHERE external_id = 'w2'")
    forgetting.close()
    less = await reconcile(park.settings, park.store, platform, day)
    missing = {
        "externalId": "w2",
        "kind": "MISSING_THERE",
        "ours": "GRANT 20 APPLIED",
        "theirs": None,
    }
    assert less == Reconciled(theirs=2, mine=1, differences=[missing])


async def test_receipts_are_asked_for_and_proved(park: Park) -> None:
    park.win("w1")
    await park.delivery().turn()
    platform = PlatformGateway(park.settings, httpx.AsyncClient(transport=park.line))
    told = await platform.query(RECEIPTS, externalIds=["w1", "nothing"])
    [receipt] = told["partner"]["receipts"]
    keys = await platform.public_keys()
    assert receipt["status"] == "APPLIED"
    assert receipt_is_signed(receipt, partner="wheelpark", keys=keys)
    assert not receipt_is_signed(receipt | {"status": "REJECTED"}, partner="wheelpark", keys=keys)
    assert not receipt_is_signed(receipt, partner="another", keys=keys)


async def test_an_event_that_is_no_good_holds_up_no_other(park: Park) -> None:
    park.store.add_event("VISIT", visitor="v" * 65)
    park.gateway.clock.advance(seconds=1)
    for visitor in ("v1", "v2"):
        park.store.add_event("VISIT", visitor=visitor)
    delivery = park.delivery()
    while await delivery.turn():
        pass
    assert park.store.unsent_events(count=9) == []
    [row] = await fetch_all("SELECT count(*) AS events FROM game_event")
    assert row["events"] == 2


async def test_what_takes_a_win_back_has_an_id_of_its_own(park: Park) -> None:
    assert park.store.take_back("w1") is None, "no such win"
    park.win("w1")
    park.win("w2")
    assert park.store.take_back("w1") is None, "it has not arrived"
    delivery = park.delivery()
    await delivery.turn()
    back = park.store.take_back("w1")
    assert back is not None
    assert park.store.take_back("w1") == back, "once"
    assert park.store.points_of(park.player) == 40
    assert await delivery.turn() is True
    assert park.states() == {"w1": ("REVERSED", None), "w2": ("APPLIED", None)}
    assert park.store.points_of(park.player) == 20
    assert await park.available() == 20
    assert await delivery.turn() is False

    platform = PlatformGateway(park.settings, httpx.AsyncClient(transport=park.line))
    told = await platform.query(RECEIPTS, externalIds=["w1", back])
    stand = {one["externalId"]: one["status"] for one in told["partner"]["receipts"]}
    assert stand == {"w1": "APPLIED", back: "APPLIED"}

    day = NOW.astimezone(SHANGHAI).date()
    park.gateway.clock.advance(days=1)
    files = FileStore(park.gateway.files.folder / "reconciliation")
    await games.reconcile_due(files=files, now=park.gateway.clock.now)
    same = await reconcile(park.settings, park.store, platform, day)
    assert same == Reconciled(theirs=3, mine=3, differences=[])


async def test_an_answer_that_comes_after_the_reversal_brings_nothing_back(park: Park) -> None:
    park.win("w1")
    park.line.lost = 1
    with pytest.raises(TryLater):
        await park.delivery().turn()
    park.store.hear("m1", "reward.applied", external_ids=["w1"], state="APPLIED")
    back = park.store.take_back("w1")
    assert back is not None
    park.store.hear("m2", "reward.reversed", external_ids=[back], state="REVERSED")
    assert park.states() == {"w1": ("REVERSED", None)}
    await park.delivery().turn()
    assert park.states() == {"w1": ("REVERSED", None)}


async def test_a_batch_that_is_refused_whole_is_set_aside_and_the_others_go_on(
    park: Park, caplog: pytest.LogCaptureFixture
) -> None:
    park.win("good")
    park.win("bad", points=2**53)
    park.win("good too")
    delivery = park.delivery()
    while await delivery.turn():
        pass
    assert park.states() == {
        "good": ("APPLIED", None),
        "bad": ("HELD", None),
        "good too": ("APPLIED", None),
    }
    assert await park.available() == 40
    [held] = park.store.batches_set_aside()
    assert held.external_ids == ("bad",)
    assert "points" in held.reason
    refusals = [one for one in caplog.messages if "was refused whole" in one]
    assert len(refusals) == 2, "the batch of three, then the one of what is wrong"

    with sqlite3.connect(park.settings.folder / "park.db") as mending:
        mending.execute("UPDATE batch SET content = replace(content, '9007199254740992', '20')")
    mending.close()
    assert park.store.send_again("batch-unknown") is False
    assert park.store.send_again(held.batch_id) is True
    assert await delivery.turn() is True
    assert park.states()["bad"] == ("APPLIED", None)
    assert park.store.batches_set_aside() == []


async def test_a_batch_that_gets_no_answer_lets_others_pass(park: Park) -> None:
    park.win("w1")
    delivery = park.delivery()
    for _ in range(2):
        park.line.lost = 1
        with pytest.raises(TryLater):
            await delivery.turn()
    park.win("w2")
    assert await delivery.turn() is True, "it is the turn of the other"
    assert park.states() == {"w1": ("NEW", None), "w2": ("APPLIED", None)}
    assert await delivery.turn() is False
    park.gateway.clock.advance(seconds=BATCH_AGAIN_AFTER_S[1])
    assert await delivery.turn() is True
    assert park.states()["w1"] == ("APPLIED", None)
    assert await park.available() == 40


async def test_receipts_that_are_not_proved_are_asked_for_again(park: Park) -> None:
    park.win("w1")
    another = replace(park.settings, partner="another")
    gateway = PlatformGateway(park.settings, httpx.AsyncClient(transport=park.line))
    with pytest.raises(TryLater, match="are not the gateway's"):
        await Delivery(another, park.store, gateway).turn()
    assert park.states() == {"w1": ("NEW", None)}
    await park.delivery().turn()
    assert park.states() == {"w1": ("APPLIED", None)}


async def test_a_refused_scope_sets_nothing_aside(park: Park) -> None:
    park.win("w1")
    await games.disable_partner("wheelpark", by=OPERATOR, now=NOW)
    with pytest.raises(TryLater):
        await park.delivery().turn()
    assert park.store.batches_set_aside() == []
    await games.enable_partner("wheelpark", by=OPERATOR, now=NOW)
    await park.delivery().turn()
    assert park.states() == {"w1": ("APPLIED", None)}


def test_the_store_is_its_owners_alone_and_takes_over_what_the_first_version_made(
    tmp_path: Path,
) -> None:
    file = tmp_path / "wheelpark.db"
    with sqlite3.connect(file) as first:
        first.execute(
            "CREATE TABLE batch (id TEXT PRIMARY KEY, content TEXT NOT NULL,"
            " made_at TEXT NOT NULL, received_at REAL)"
        )
        first.execute("INSERT INTO batch VALUES ('b1', '[]', '2026-03-01T12:00:00Z', NULL)")
    first.close()
    file.chmod(0o644)
    for _ in range(2):
        store = Store(file)
    assert store.next_batch(items_max=1, campaign_id="c", at=0) == ("b1", [])
    modes = {one.name: oct(one.stat().st_mode & 0o777) for one in tmp_path.iterdir()}
    assert modes["wheelpark.db"] == "0o600"
    assert set(modes.values()) == {"0o600"}
