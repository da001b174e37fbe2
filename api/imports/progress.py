"""What an import tells while it runs: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_STEPS = 20
"""Lines that are printed where there is no terminal, at most, for one stage."""


class Stage:
    """One stage of an import: `advance` by rows that are done."""

    def __init__(self) -> None:
        self.done = 0

    def advance(self, rows: int) -> None:
        """So many rows more are done."""
        self.done += rows


class Reporter:
    """Says nothing; the base of those that do."""

    @contextmanager
    def stage(self, verb: str, *, total: int | None) -> Iterator[Stage]:
        """A stage of `total` rows (None: nobody knows yet), e.g. "reading"."""
        del verb, total
        yield Stage()


class TerminalReporter(Reporter):
    """Progress on the console: a bar with rows per second, or plain lines without a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, verb: str, *, total: int | None) -> Iterator[Stage]:
        """See Reporter."""
        if not self._console.is_terminal:
            stage = _Lines(self._console, verb, total)
            yield stage
            stage.finish()
            return
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RowsPerSecond(),
            TimeRemainingColumn(),
            console=self._console,
        ) as progress:
            yield _Bar(progress, verb, total)


class _Bar(Stage):
    def __init__(self, progress: Progress, verb: str, total: int | None) -> None:
        super().__init__()
        self._progress = progress
        self._task = progress.add_task(verb, total=total)

    def advance(self, rows: int) -> None:
        super().advance(rows)
        self._progress.advance(self._task, rows)


class _RowsPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} rows/s")


class _Lines(Stage):
    def __init__(self, console: Console, verb: str, total: int | None) -> None:
        super().__init__()
        self._console, self._verb, self._total = console, verb, total
        self._step = max(1, total // _STEPS) if total else 100_000
        self._next = self._step
        self._begun = time.monotonic()

    def advance(self, rows: int) -> None:
        super().advance(rows)
        if self.done >= self._next:
            self._next = self.done + self._step
            self._print()

    def finish(self) -> None:
        if self.done + self._step != self._next:
            self._print()

    def _print(self) -> None:
        rate = self.done / max(time.monotonic() - self._begun, 1e-9)
        of = f" of {self._total:,}" if self._total is not None else ""
        self._console.print(
            f"{self._verb}: {self.done:,}{of} rows ({rate:,.0f} rows/s)", highlight=False
        )
