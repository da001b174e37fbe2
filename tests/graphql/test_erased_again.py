"""After a restore those are erased who were, and nobody whom the backup has joined to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from shutil import copyfile
from uuid import UUID

from api.fake_wechat import RunningFake
from domain import custody, ledger, members
from domain.custody import ErasedAgain, Merge, MergeBecause
from domain.storage import execute, fetch_one, transaction
from tests.graphql.gateway import NOW, Gateway, Session, open_gateway, settings_for
from tests.graphql.points import earn
from tests.graphql.programme import set_up_programme

LONG_AFTER = NOW + timedelta(days=30)


async def joined(keeper: Session, loser: Session) -> Merge:
    because = MergeBecause.STAFF
    work = partial(
        custody.merge, keeper.member, loser.member, because=because, by="staff:x", now=NOW
    )
    merged = await transaction(work)
    assert merged is not None
    return merged


async def two(gateway: Gateway) -> tuple[Session, Session]:
    """Keeper, with 100 points, and loser, with 50."""
    keeper, loser = await gateway.sign_in("o-keeper"), await gateway.sign_in("o-loser")
    await earn(gateway, keeper, 100)
    await earn(gateway, loser, 50)
    return keeper, loser


async def again(gateway: Gateway) -> ErasedAgain:
    return await custody.erase_again(journal=gateway.erasures, files=gateway.files, now=LONG_AFTER)


async def standing(*sessions: Session) -> list[bool]:
    ids = [one.member for one in sessions]
    found = await members.heirs(ids)
    return [found.get(one) == one for one in ids]


async def subjects(member_id: UUID) -> Sequence[str]:
    return [one.subject for one in await members.identities(member_id)]


async def test_a_keeper_who_asked_nothing_outlives_the_restore(
    sqlite_url: str, tmp_path: Path, fake: RunningFake
) -> None:
    """Two were joined, a backup was taken; staff parted them, and one was erased."""
    settings = settings_for(sqlite_url, tmp_path, fake)
    database, backup = Path(sqlite_url.removeprefix("sqlite://")), tmp_path / "backup.db"
    async with open_gateway(settings, fake) as gateway:
        await set_up_programme(now=NOW)
        keeper, loser = await two(gateway)
        merge = await joined(keeper, loser)
    copyfile(database, backup)
    async with open_gateway(settings, fake) as gateway:
        await transaction(partial(custody.part, merge, by="staff:x", now=NOW))
        assert await custody.erase(
            loser.member, journal=gateway.erasures, files=gateway.files, now=NOW
        )
        assert list(gateway.erasures.members()) == [loser.member]
    copyfile(backup, database)
    async with open_gateway(settings, fake) as gateway:
        assert await standing(keeper, loser) == [True, False]
        assert await again(gateway) == ErasedAgain(erased=1, left=[])
        assert await standing(keeper, loser) == [True, False]
        assert not await custody.is_erased(keeper.member)
        assert await custody.is_erased(loser.member)
        assert await subjects(keeper.member) == ["o-keeper"]
        assert (await ledger.balance(keeper.member, now=LONG_AFTER)).available == 100
        for one in (keeper, loser):
            assert await ledger.verify_account(one.member) == []
        assert await again(gateway) == ErasedAgain(erased=0, left=[])


async def test_a_loser_who_asked_nothing_is_not_erased_with_the_keeper(
    own_gateway: Gateway,
) -> None:
    gateway = own_gateway
    keeper, loser = await two(gateway)
    merge = await joined(keeper, loser)
    gateway.erasures.append([keeper.member], now=NOW)
    assert await again(gateway) == ErasedAgain(erased=1, left=[])
    assert await standing(keeper, loser) == [False, True]
    assert await custody.is_erased(keeper.member)
    assert not await custody.is_erased(loser.member)
    assert await subjects(loser.member) == ["o-loser"]
    assert (await ledger.balance(loser.member, now=LONG_AFTER)).available == 50
    row = await fetch_one("SELECT undone_at, undone_by FROM member_merge WHERE id = $1", merge.id)
    assert row is not None
    assert dict(row) == {"undone_at": LONG_AFTER, "undone_by": "erase-again"}


async def test_both_records_of_one_who_was_erased_go_together(own_gateway: Gateway) -> None:
    gateway = own_gateway
    keeper, loser = await two(gateway)
    await joined(keeper, loser)
    gateway.erasures.append([loser.member, keeper.member], now=NOW)
    assert await again(gateway) == ErasedAgain(erased=1, left=[])
    assert [await custody.is_erased(one.member) for one in (keeper, loser)] == [True, True]
    assert await standing(keeper, loser) == [False, False]


async def test_who_cannot_be_parted_is_left_and_told(own_gateway: Gateway) -> None:
    """The keeper was joined to a third one since, so nobody knows any more what is whose."""
    gateway = own_gateway
    keeper, loser = await two(gateway)
    third, other = await gateway.sign_in("o-third"), await gateway.sign_in("o-other")
    await joined(keeper, loser)
    await joined(keeper, third)
    gateway.erasures.append([loser.member, other.member], now=NOW)
    assert await again(gateway) == ErasedAgain(erased=1, left=[loser.member])
    assert await standing(keeper, loser, third, other) == [True, False, False, False]
    assert await subjects(keeper.member) == ["o-keeper", "o-loser", "o-third"]
    for one, erased in ((keeper, False), (loser, False), (third, False), (other, True)):
        assert await custody.is_erased(one.member) == erased


async def test_a_record_that_leads_away_without_a_merge_is_left(own_gateway: Gateway) -> None:
    """No merge that could be parted is on record: nobody is erased on a guess."""
    gateway = own_gateway
    keeper, loser = await two(gateway)
    await joined(keeper, loser)
    await execute("DELETE FROM member_merge")
    gateway.erasures.append([keeper.member], now=NOW)
    assert await again(gateway) == ErasedAgain(erased=0, left=[keeper.member])
    assert not await custody.is_erased(keeper.member)
