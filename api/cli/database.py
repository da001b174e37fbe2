"""Commands about the database and the schema."""

from __future__ import annotations

from pathlib import Path

import typer

from api.cli.session import console, with_database
from api.settings import Settings
from domain import recommendations, storage
from domain.clock import Clock

SDL_PATH = Path("schema/schema.graphql")
ERRORS_PATH = Path("docs/errors.md")
ACCESS_PATH = Path("docs/access.md")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("migrate")(migrate)
    app.command("print-schema")(print_schema)
    app.command("print-errors")(print_errors)
    app.command("print-access")(print_access)
    app.command("refresh-recommendations")(refresh_recommendations)


def migrate() -> None:
    """Bring the database named by DATABASE_URL up to date."""

    async def work(settings: Settings, clock: Clock) -> list[str]:
        return await storage.migrate()

    applied = with_database(work)
    for name in applied:
        console.print(f"applied {name}")
    if not applied:
        console.print("nothing to apply")


def print_schema() -> None:
    """Write the schema's SDL to schema/schema.graphql."""
    from schema.root import sdl

    SDL_PATH.write_text(sdl(), encoding="utf-8")
    console.print(f"wrote {SDL_PATH}")


def print_errors() -> None:
    """Write the catalogue of error codes to docs/errors.md."""
    from schema.catalogue_of_errors import error_catalogue

    ERRORS_PATH.write_text(error_catalogue(), encoding="utf-8")
    console.print(f"wrote {ERRORS_PATH}")


def print_access() -> None:
    """Write who may read which field to docs/access.md."""
    from schema.catalogue_of_access import access_catalogue
    from schema.root import build_schema

    ACCESS_PATH.write_text(access_catalogue(build_schema()), encoding="utf-8")
    console.print(f"wrote {ACCESS_PATH}")


def refresh_recommendations() -> None:
    """Compute anew what is recommended: the most bought products."""

    async def work(settings: Settings, clock: Clock) -> int:
        return await recommendations.refresh_popularity(now=clock.now())

    console.print(f"{with_database(work)} products are kept ready")
