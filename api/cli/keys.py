"""Commands about the keys that sign access tokens."""

from __future__ import annotations

import typer

from api.cli.operators import tell_the_log
from api.cli.session import console, with_database
from api.opening import open_key_ring
from api.settings import Settings
from domain import access
from domain.audit import Target
from domain.clock import Clock


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("create-keys")(create_keys)
    app.command("rotate-keys")(rotate_keys)


def create_keys() -> None:
    """Make the set of signing keys at JIFEN_KEY_SET_PATH, unless it is there."""

    async def work(settings: Settings, clock: Clock) -> str:
        await tell_the_log("keys.create", _keys(settings), now=clock.now())
        made = access.create_key_set(settings.key_set_path, now=clock.now())
        return f"{'made' if made else 'there already:'} {settings.key_set_path}"

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
