"""The programme as staff sets it up: its names, its time zone and its currency."""

from __future__ import annotations

from datetime import datetime

from domain import program, purchases
from domain.audit import Actor
from domain.errors import InvalidInput
from domain.program import Programme
from domain.storage import transaction


async def set_programme(programme: Programme, *, by: Actor, now: datetime) -> Programme:
    """Change the programme that was read at `programme.version`.

    The currency is for ever once a purchase was recorded. Refused: InvalidInput, DefinitionChanged.
    """

    async def work() -> Programme:
        await check_currency(await program.program(), programme)
        return await program.change_programme(programme, by=by, now=now)

    return await transaction(work)


async def check_currency(before: Programme, after: Programme) -> None:
    """Refuse InvalidInput where the currency changes of what was paid."""
    if after.currency != before.currency and await purchases.any_purchase():
        raise InvalidInput(
            field=("currency",), rule=f"{before.currency}, for ever once a purchase was recorded"
        )
