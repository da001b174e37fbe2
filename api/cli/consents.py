"""Commands about what members are asked to agree to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from api.cli.operators import tell_the_log
from api.cli.session import console, stop, with_database
from api.settings import Settings
from domain import members
from domain.audit import Target
from domain.clock import Clock
from domain.members import ConsentText
from domain.storage import transaction

_TEXTS = TypeAdapter(list[ConsentText])


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("publish-consents")(publish_consents)


def publish_consents(
    file: Annotated[
        Path, typer.Argument(help="A JSON list of texts.", exists=True, dir_okay=False)
    ],
) -> None:
    """Ask members to agree to these words: a version once published is never changed."""
    try:
        texts = _TEXTS.validate_json(file.read_bytes())
    except ValidationError as wrong:
        first = wrong.errors()[0]
        stop(f"{file.name}: {'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}")

    async def work(settings: Settings, clock: Clock) -> int:
        now = clock.now()

        async def publish() -> int:
            await tell_the_log("consents.publish", Target(kind="file", id=file.name), now=now)
            return await members.publish_consent_texts(texts, now=now)

        return await transaction(publish)

    published = with_database(work)
    console.print(f"{published:,} of {len(texts):,} texts are new", highlight=False)
