"""Commands about the keys that sign access tokens and those that keep phone numbers."""

from __future__ import annotations

import typer

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


def _keys(settings: Settings) -> Target:
    return Target(kind="keys", id=str(settings.key_set_path))
