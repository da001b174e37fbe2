"""The file that docs/operations.md shows is one that is taken in."""

from __future__ import annotations

import pytest

from domain import rewards
from domain.errors import ProgrammeFileInvalid
from domain.programme_file import export_programme
from domain.rewards import ChangeReward
from tests.domain.ledger.commands import NOW
from tests.domain.programme_file.files import FULL, imported, take_in
from tests.domain.rewards.counter import CLERK
from tests.repository.guides import Guide
from tests.repository.tree import ROOT


def guide(name: str) -> Guide:
    return Guide(name=f"docs/{name}", text=(ROOT / "docs" / name).read_text())


GUIDE = guide("operations.md")


@pytest.mark.usefixtures("database")
async def test_the_file_of_the_guide_comes_out_as_it_stands_there() -> None:
    [shown] = [text for text in GUIDE.blocks("yaml") if text.startswith("jifen: 1\n")]
    await take_in(shown)
    head, _, rest = (await export_programme()).partition("jifen: 1\n")
    assert all(line.startswith("#") for line in head.splitlines())
    assert f"jifen: 1\n{rest}" == shown
    # So are the warnings, where twenty are left of what the file says to be 500.
    [told] = [text for text in GUIDE.blocks() if text.startswith("warning: ")]
    [reward] = await rewards.all_rewards()
    left = ChangeReward(reward_id=reward.id, version=reward.version, changes={"stock": 20})
    await rewards.change_reward(left, by=CLERK, now=NOW)
    found = await imported(shown, check_only=True)
    assert [f"warning: {one}" for one in found.warnings] == told.splitlines()
    # The problem that the guide shows is told so, with the line that it stands at.
    [wrong] = [text for text in GUIDE.blocks() if text.startswith("programme.yaml: line ")]
    assert await problem_of(shown.replace('value: "1.1"', 'value: "11.1"')) == wrong.strip()


@pytest.mark.usefixtures("database")
async def test_the_parts_that_other_guides_show_are_taken_in_together() -> None:
    parts = [
        part for name in ("feedback.md", "service-levels.md") for part in guide(name).blocks("yaml")
    ]
    assert len(parts) == 2
    await take_in(FULL)
    text = "".join(["jifen: 1\n", *parts])
    told = [str(one) for one in await take_in(text)]
    assert "  feedback_causes[carrier-late].topic: shops -> delivery" in told
    assert "+ service_levels[COMPLAINT/*/gold].resolve_points: 100" in told
    assert await take_in(text) == []


async def problem_of(text: str) -> str:
    with pytest.raises(ProgrammeFileInvalid) as refused:
        await take_in(text)
    return f"programme.yaml: {refused.value.problems[0]}"
