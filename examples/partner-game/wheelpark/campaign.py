"""The campaign as the merchant disclosed it, and the days of the programme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from wheelpark.gateway import CAMPAIGNS, Gateway, TryLater
from wheelpark.wheel import NOTHING, ONE, Prize, prize_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What may be won, under which disclosure, and the zone whose midnights end days."""

    prizes: tuple[Prize, ...]
    version: str
    frozen_at: str
    zone: ZoneInfo

    @property
    def fields(self) -> tuple[Prize, ...]:
        """The fields of the wheel: the prizes, and what is left over where anything is."""
        rest = ONE - sum(one.odds_ppm for one in self.prizes)
        nothing = Prize(code="", title=NOTHING.title, points=0, odds_ppm=rest)
        return (*self.prizes, nothing) if rest else self.prizes

    def place_of(self, prize: Prize) -> int:
        """Which field the prize is."""
        return [one.code for one in self.fields].index(prize.code)

    def day_begins(self, at: float) -> datetime:
        """The midnight of the programme at which the day of this moment began."""
        day = datetime.fromtimestamp(at, self.zone).date()
        return datetime.combine(day, time(), tzinfo=self.zone).astimezone(UTC)

    def told(self) -> dict[str, Any]:
        """What a player may read: every field with its odds, in the order of the wheel."""
        fields = [
            {"title": one.title, "points": one.points, "oddsPpm": one.odds_ppm, "count": one.count}
            for one in self.fields
        ]
        return {"fields": fields, "version": self.version, "frozenAt": self.frozen_at}


async def read_campaign(gateway: Gateway, campaign_id: str) -> Campaign:
    """The campaign with this id. Raises TryLater, also where it cannot be played now."""
    data = await gateway.query(CAMPAIGNS)
    found: Mapping[str, Any] | None = next(
        (one for one in data["gameCampaigns"]["nodes"] if one["id"] == campaign_id), None
    )
    if found is None or found["disclosure"] is None:
        raise TryLater(f"the campaign {campaign_id} is not among those that can be played")
    disclosure = found["disclosure"]
    return Campaign(
        prizes=tuple(
            prize_of(one["code"], one["title"], one["odds"], count=one["count"])
            for one in disclosure["prizes"]
        ),
        version=disclosure["version"],
        frozen_at=disclosure["frozenAt"],
        zone=ZoneInfo(data["program"]["timeZone"]),
    )
