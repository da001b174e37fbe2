"""Visitors of campaigns: when each came first, whether they played, who they are, what came of it.

A visitor is one person: the member who is named first of them. Those who joined after their first
touch are new members of the campaign, those who bought after it its buyers. Each of it is written
down when it becomes known, so that a funnel is read from what is counted already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain import members, purchases
from domain.games.campaigns import GameCampaign
from domain.outbox import Announced, Consumer
from domain.storage import Row, Table, fetch_all, transaction, write_together

BUYING_WINDOW: Final = timedelta(days=30)
"""For so long after a campaign has closed a purchase still counts as made because of it."""

_VISITORS: Final = Table(
    "game_visitor",
    campaign_id="uuid",
    visitor="uuid",
    first_at="timestamptz",
    played="boolean",
    member_id="uuid",
    is_new="boolean",
    bought="boolean",
)
_COUNTS: Final = Table("game_funnel", campaign_id="uuid", visitors="bigint", players="bigint")
_KEY: Final = ("campaign_id", "visitor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A visitor who did something in a campaign; `plays` for what only players do."""

    campaign_id: UUID
    visitor: UUID
    at: datetime
    plays: bool
    member_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """What is known of a visitor of a campaign."""

    campaign_id: UUID
    visitor: UUID
    first_at: datetime
    played: bool
    member_id: UUID | None = None
    is_new: bool = False
    bought: bool = False

    def seen(self, sighting: Sighting) -> Visitor:
        """The same one, after this too."""
        return replace(
            self,
            first_at=min(self.first_at, sighting.at),
            played=self.played or sighting.plays,
            member_id=self.member_id or sighting.member_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many visitors a campaign has, and how many of them played."""

    visitors: int = 0
    players: int = 0


async def lock_counts(campaign_ids: Collection[UUID]) -> Mapping[UUID, Counts]:
    """The counts of these campaigns, locked until the commit, in one order for everybody."""
    found = await _locked_counts(campaign_ids)
    missing = sorted(set(campaign_ids) - set(found))
    if missing:
        await _COUNTS.insert(
            ({"campaign_id": one, "visitors": 0, "players": 0} for one in missing), or_ignore=True
        )
        found = await _locked_counts(campaign_ids)
    return found


async def count_visitors(
    sightings: Iterable[Sighting],
    *,
    campaigns: Mapping[UUID, GameCampaign],
    counts: Mapping[UUID, Counts],
) -> None:
    """Write down what these come to, under the locks of the counts and of who is named."""
    by_visitor: dict[tuple[UUID, UUID], list[Sighting]] = {}
    for one in sightings:
        by_visitor.setdefault((one.campaign_id, one.visitor), []).append(one)
    if not by_visitor:
        return
    before = await _known(by_visitor)
    after = {key: _after(before.get(key), seen) for key, seen in by_visitor.items()}
    changed = [after[key] for key in sorted(after) if after[key] != before.get(key)]
    judged = await _judged(changed, campaigns)
    await write_together(
        [
            _VISITORS.inserting(_row(one) for one in judged if _key(one) not in before),
            _COUNTS.updating(_counted(before, after, counts), key=("campaign_id",)),
        ]
    )
    # That somebody bought is written down by others meanwhile: it is never taken back here.
    known = [_row(one) for one in judged if _key(one) in before]
    bought = [_bought(one) for one in judged if _key(one) in before and one.bought]
    await _VISITORS.update(
        [{name: row[name] for name in row if name != "bought"} for row in known], key=_KEY
    )
    await _VISITORS.update(bought, key=_KEY)


def buyers_consumer() -> Consumer:
    """Whoever writes down that a visitor bought after their first touch, however often told."""

    async def mark(events: Sequence[Announced]) -> None:
        await transaction(lambda: _mark(events))

    return Consumer("game-buyers", frozenset({"PurchaseRecorded"}), mark)


async def _mark(events: Sequence[Announced]) -> None:
    leads = await members.heirs({event.member_id for event in events})
    rows = await fetch_all(
        "SELECT v.*, c.closes_at FROM game_visitor v"
        " JOIN game_campaign c ON c.id = v.campaign_id"
        " WHERE v.member_id = ANY($1::uuid[]) AND NOT v.bought ORDER BY v.campaign_id, v.visitor",
        sorted(set(leads.values())),
    )
    placed: dict[UUID, list[datetime]] = {}
    for event in events:
        if event.member_id in leads:
            moments = placed.setdefault(leads[event.member_id], [])
            moments.append(datetime.fromisoformat(event.facts["placed_at"]))
    bought = [
        _bought(_visitor(row))
        for row in rows
        if any(
            row["first_at"] <= moment < row["closes_at"] + BUYING_WINDOW
            for moment in placed[row["member_id"]]
        )
    ]
    await _VISITORS.update(bought, key=_KEY)


async def _judged(
    changed: Sequence[Visitor], campaigns: Mapping[UUID, GameCampaign]
) -> Sequence[Visitor]:
    """These with what follows from who they are: whether they are new, and whether they bought."""
    known = await members.members_by_ids(
        sorted({one.member_id for one in changed if one.member_id is not None})
    )
    last: dict[UUID, Mapping[UUID, datetime]] = {}
    for campaign_id in {one.campaign_id for one in changed if one.member_id in known}:
        theirs = [
            one for one in changed if one.campaign_id == campaign_id and one.member_id in known
        ]
        last[campaign_id] = await purchases.last_placed(
            {one.member_id for one in theirs if one.member_id is not None},
            since=min(one.first_at for one in theirs),
            until=campaigns[campaign_id].closes_at + BUYING_WINDOW,
        )
    judged = []
    for one in changed:
        member = None if one.member_id is None else known.get(one.member_id)
        if one.member_id is not None and member is not None:
            joined_at, closes_at = member.joined_at, campaigns[one.campaign_id].closes_at
            bought_at = last[one.campaign_id].get(one.member_id)
            one = replace(  # noqa: PLW2901 - the same visitor, better known
                one,
                is_new=one.is_new or one.first_at <= joined_at < closes_at,
                bought=one.bought or (bought_at is not None and bought_at >= one.first_at),
            )
        judged.append(one)
    return judged


def _after(before: Visitor | None, seen: Sequence[Sighting]) -> Visitor:
    first = seen[0]
    visitor = before or Visitor(
        campaign_id=first.campaign_id, visitor=first.visitor, first_at=first.at, played=False
    )
    for one in sorted(seen, key=lambda one: one.at):
        visitor = visitor.seen(one)
    return visitor


def _counted(
    before: Mapping[tuple[UUID, UUID], Visitor],
    after: Mapping[tuple[UUID, UUID], Visitor],
    counts: Mapping[UUID, Counts],
) -> list[dict[str, object]]:
    """The counts of the campaigns of these visitors, with those who are new or play now."""
    totals: dict[UUID, Counts] = {}
    for key, visitor in after.items():
        earlier, campaign_id = before.get(key), key[0]
        total = totals.get(campaign_id, counts[campaign_id])
        played_before = earlier is not None and earlier.played
        totals[campaign_id] = Counts(
            visitors=total.visitors + (earlier is None),
            players=total.players + (visitor.played and not played_before),
        )
    return [
        {"campaign_id": one, "visitors": totals[one].visitors, "players": totals[one].players}
        for one in sorted(totals)
    ]


async def _locked_counts(campaign_ids: Collection[UUID]) -> Mapping[UUID, Counts]:
    rows = await fetch_all(
        "SELECT campaign_id, visitors, players FROM game_funnel"
        " WHERE campaign_id = ANY($1::uuid[]) ORDER BY campaign_id FOR NO KEY UPDATE",
        sorted(campaign_ids),
    )
    return {
        row["campaign_id"]: Counts(visitors=row["visitors"], players=row["players"]) for row in rows
    }


async def _known(keys: Collection[tuple[UUID, UUID]]) -> Mapping[tuple[UUID, UUID], Visitor]:
    rows = await fetch_all(
        "SELECT * FROM game_visitor"
        " WHERE campaign_id = ANY($1::uuid[]) AND visitor = ANY($2::uuid[])",
        *(sorted({campaign for campaign, _ in keys}), sorted({visitor for _, visitor in keys})),
    )
    return {_key(one): one for one in map(_visitor, rows)}


def _key(visitor: Visitor) -> tuple[UUID, UUID]:
    return visitor.campaign_id, visitor.visitor


def _visitor(row: Row) -> Visitor:
    return Visitor(
        campaign_id=row["campaign_id"],
        visitor=row["visitor"],
        first_at=row["first_at"],
        played=row["played"],
        member_id=row["member_id"],
        is_new=row["is_new"],
        bought=row["bought"],
    )


def _row(visitor: Visitor) -> dict[str, object]:
    names = ("campaign_id", "visitor", "first_at", "played", "member_id", "is_new", "bought")
    return {name: getattr(visitor, name) for name in names}


def _bought(visitor: Visitor) -> dict[str, object]:
    return {"campaign_id": visitor.campaign_id, "visitor": visitor.visitor, "bought": True}
