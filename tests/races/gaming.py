"""A process that binds and tells of games, for the races: `python -m tests.races.gaming`.

Argument: a JSON object with the database's URL, the file of phone keys, and what is done so often
at once. The last line of standard output is the answers as JSON; log lines come before it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from domain import games, storage
from domain.errors import Refusal
from domain.games import CreateGameBinding, GameEvent, GameEventKind, RecordGameEvents
from domain.members import ById, PhoneKeyFile, use_phone_keys
from tests.domain.games.arcade import NOW
from tests.races.contention import PATIENT


async def allow(member_id: str, partner: str, key: str) -> str:
    """Allow the partner; the token."""
    command = CreateGameBinding(
        member_id=UUID(member_id), partner_code=partner, consent=True, idempotency_key=key
    )
    return (await games.create_game_binding(command, now=NOW)).bind_token


async def exchange(partner: str, token: str) -> str:
    """Exchange the token; the name, or why not."""
    known = await games.known_partner(partner)
    try:
        return await games.exchange_bind_token(known.account_id, token, now=NOW)
    except Refusal as refusal:
        return str(refusal.code)


async def tell(
    partner: str, campaign: str, batch_id: str, events: list[tuple[str, str, str]]
) -> list[int]:
    """Tell of plays, each by its id, its visitor and the member; how many were new, and not."""
    command = RecordGameEvents(
        partner=await games.known_partner(partner),
        batch_id=batch_id,
        events=[
            GameEvent(
                external_id=external_id,
                campaign=campaign,
                campaign_id=UUID(campaign),
                kind=GameEventKind.PLAY,
                visitor=visitor,
                at=NOW - timedelta(hours=1),
                member=ById(UUID(member_id)),
            )
            for external_id, visitor, member_id in events
        ],
    )
    recorded = await games.record_game_events(command, now=NOW)
    return [recorded.accepted, recorded.duplicates]


async def do_all(doings: list[tuple[str, list[Any]]]) -> list[Any]:
    """Do all of it at once; the answers in order."""
    known = {"allow": allow, "exchange": exchange, "tell": tell}
    calls: list[Awaitable[Any]] = [known[name](*given) for name, given in doings]  # type: ignore[operator]  # by its name
    return list(await asyncio.gather(*calls))


async def main(given: str) -> None:
    what: dict[str, Any] = orjson.loads(given)
    use_phone_keys(PhoneKeyFile(Path(what["phone_keys"]), now=NOW))
    await storage.connect(what["database"], pool=PATIENT)
    answers = await do_all(what["doings"])
    await storage.close()
    print(orjson.dumps(answers).decode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
