"""Commands about recommendations: training a model, and seeing which one serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from api.cli.session import console, failing_in_one_line, show, stop, with_database
from api.settings import Settings
from domain import recommendations
from domain.clock import Clock
from domain.recommendations import Method, RecommendationModel, Trained, TrainingUnderWay


class ReportLanguage(StrEnum):
    """The languages of the report."""

    ZH = "zh"
    EN = "en"


group = typer.Typer(help="Train recommendations and look after models.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    group.command("train")(train)
    group.command("status")(status)
    group.command("report")(report)
    app.add_typer(group, name="recommendations")


def train(
    method: Annotated[
        Method | None, typer.Option(help="How likeness is found; by default as the settings say.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(help="Know nothing that happened later (UTC).", formats=["%Y-%m-%dT%H:%M:%S"]),
    ] = None,
) -> None:
    """Train a model on what was bought, and let it serve; the one before is kept."""

    async def work(settings: Settings, clock: Clock) -> Trained:
        scoring = settings.recommendations.scoring
        chosen = scoring if method is None else replace(scoring, method=method)
        moment = None if as_of is None else as_of.replace(tzinfo=UTC)
        if moment is not None and moment > clock.now():
            stop("nothing was done: --as-of is in the future")
        with _bars() as told:
            return await recommendations.train(
                chosen,
                clock=clock,
                as_of=moment,
                held_out=settings.recommendations.held_out,
                told=told,
            )

    try:
        trained = with_database(work)
    except TrainingUnderWay as other:
        stop(f"nothing was done: {other}")
    figures = trained.figures
    console.print(
        f"version {trained.version} serves: {figures['products']:,} products,"
        f" purchases of {figures['members']:,} members,"
        f" lists of {figures['listed_members']:,} who agreed",
        highlight=False,
    )


def status(
    first: Annotated[int, typer.Option(min=1, max=1_000, help="Show at most so many.")] = 10,
) -> None:
    """Show the newest versions of the model, and which one serves."""

    async def look(settings: Settings, clock: Clock) -> list[RecommendationModel]:
        return list(await recommendations.recommendation_models(first=first))

    found = with_database(look)
    if not found:
        console.print("no model was trained yet")
        return
    table = Table("version", "status", "method", "as of", "finished at", "members", "listed")
    for one in found:
        finished = one.finished_at
        table.add_row(
            str(one.version),
            one.status.value,
            one.method.value,
            one.as_of.isoformat(timespec="seconds"),
            "" if finished is None else finished.isoformat(timespec="seconds"),
            f"{one.figures['members']:,}" if one.figures else "",
            f"{one.figures['listed_members']:,}" if one.figures else "",
        )
    show(table)


def report(
    out: Annotated[Path, typer.Option(help="The file to write: HTML that needs nothing else.")],
    language: Annotated[ReportLanguage, typer.Option(help="In which language.")] = (
        ReportLanguage.ZH
    ),
) -> None:
    """Write how good the versions of the model are, as a page with charts."""
    from api.model_report.page import VERSIONS_MAX, report_page

    async def look(settings: Settings, clock: Clock) -> list[RecommendationModel]:
        return list(await recommendations.recommendation_models(first=VERSIONS_MAX))

    page = report_page(with_database(look), language=language.value)
    with failing_in_one_line():
        out.write_text(page, encoding="utf-8")
    console.print(f"written: {out}", highlight=False)


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar for each stage as it begins, on a terminal."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        tasks = {}

        def told(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)

        yield told
