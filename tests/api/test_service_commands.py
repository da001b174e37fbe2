"""The command that looks after what service promised."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.api.test_commands import CommandLine, command
from tests.domain.feedback.filing import complain, join, open_shop

__all__ = ["command"]


def test_deadlines_are_watched(command: CommandLine) -> None:
    long_ago = datetime(2020, 1, 6, 2, tzinfo=UTC)

    async def a_complaint_of_long_ago() -> None:
        await open_shop()
        await complain((await join("alice"))[0], now=long_ago)

    command.ask(a_complaint_of_long_ago)
    assert command.run("watch-deadlines") == "2 deadlines were missed, 250 points were paid\n"
    assert command.run("watch-deadlines") == "0 deadlines were missed, 0 points were paid\n"
