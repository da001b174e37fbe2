"""Commands about the keys that sign access tokens and those that keep phone numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.operators import tell_the_log
from api.cli.session import console, with_database
from api.opening import open_key_ring
from api.settings import Settings
from domain import access, members
from domain.audit import Target
from domain.clock import Clock


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("create-keys")(create_keys)
    app.command("rotate-keys")(rotate_keys)
    app.command("rotate-phone-keys")(rotate_phone_keys)


def create_keys() -> None:
    """Make the signing keys and the keys of phone numbers, unless they are there."""

    async def work(settings: Settings, clock: Clock) -> str:
        now = clock.now()
        await tell_the_log("keys.create", _keys(settings), now=now)
        made = {
            settings.key_set_path: access.create_key_set(settings.key_set_path, now=now),
            settings.phone_keys_file: members.create_phone_keys(settings.phone_keys_file, now=now),
        }
        return "\n".join(
            f"{'made' if new else 'there already:'} {path}" for path, new in made.items()
        )

    console.print(with_database(work), markup=False, soft_wrap=True)


def rotate_keys() -> None:
    """Take the next step of a key rotation: publish a new key, then let it sign."""

    async def work(settings: Settings, clock: Clock) -> str:
        ring = open_key_ring(settings, now=clock.now())
        await tell_the_log("keys.rotate", _keys(settings), now=clock.now())
        return str(ring.rotate(clock.now()))

    console.print(with_database(work), markup=False)


def rotate_phone_keys() -> None:
    """Seal all phone numbers with new keys, while the service goes on; run again to go on."""

    async def work(settings: Settings, clock: Clock) -> tuple[str, int]:
        path = settings.phone_keys_file
        if path.exists():
            members.add_pepper(path)
        members.phone_vault()  # Which makes the first keys, in development.
        await tell_the_log("phone_keys.rotate", _phone_keys(settings), now=clock.now())
        known_at = await members.make_phone_keys_known(path, now=clock.now())
        await asyncio.sleep(max(0.0, (known_at - clock.now()).total_seconds()))
        key_id = members.put_phone_keys_in_use(path, now=max(known_at, clock.now()))
        total, sealed = await members.phones_sealed_before(key_id), 0
        with _progress(total) as told:
            async for batch in members.seal_phones_anew():
                sealed += batch
                told(batch)
        return key_id, sealed

    key_id, sealed = with_database(work)
    console.print(f"{sealed:,} phone numbers are sealed with {key_id} now", highlight=False)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar of numbers on a terminal, nothing elsewhere."""
    if not console.is_terminal:
        yield lambda sealed: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("sealing phone numbers", total=total)
        yield lambda sealed: progress.advance(task, sealed)


def _phone_keys(settings: Settings) -> Target:
    return Target(kind="keys", id=str(settings.phone_keys_file))


def _keys(settings: Settings) -> Target:
    return Target(kind="keys", id=str(settings.key_set_path))
