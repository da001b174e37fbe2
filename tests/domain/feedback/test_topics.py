"""What feedback may be about, and what it comes from: defined, changed, offered no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain import feedback
from domain.errors import DefinitionChanged, InvalidInput, TopicUnknown
from domain.feedback import Cause, Topic, cause_flaws, topic_flaws
from domain.storage import transaction
from tests.domain.feedback.desk import MONDAY
from tests.domain.rewards.counter import CLERK
from tests.graphql.kept import everything_kept

TOPIC = Topic(code="delivery", name_zh="配送", name_en="Delivery")
CAUSE = Cause(code="late", topic="delivery", name_zh="晚到", name_en="Came late")


async def define(one: Topic | Cause) -> Topic | Cause:
    if isinstance(one, Topic):
        return await feedback.define_topic(one, by=CLERK, now=MONDAY)
    return await feedback.define_cause(one, by=CLERK, now=MONDAY)


@pytest.mark.usefixtures("database")
async def test_each_change_is_of_the_version_that_was_looked_at() -> None:
    made = await define(TOPIC)
    assert made == replace(TOPIC, version=1)
    assert await define(replace(made, name_en="Parcels")) == replace(
        TOPIC, name_en="Parcels", version=2
    )
    before = await everything_kept()
    for stale in (TOPIC, made):
        with pytest.raises(DefinitionChanged) as refused:
            await define(stale)
        assert refused.value.version == 2
    with pytest.raises(TopicUnknown):
        await define(replace(CAUSE, topic="weather"))
    assert await everything_kept() == before
    assert [one.name_en for one in await feedback.topics()] == ["Parcels"]


@pytest.mark.usefixtures("database")
async def test_a_topic_that_is_offered_no_more_keeps_its_causes() -> None:
    """Tickets that were filed with it are yet resolved."""
    await define(TOPIC)
    await define(CAUSE)
    await define(replace(TOPIC, active=False, version=1))
    assert await feedback.topics() == []
    renamed = await define(replace(CAUSE, name_en="Late", version=1))
    assert await feedback.causes() == [renamed]
    assert await define(replace(CAUSE, code="lost")) == replace(CAUSE, code="lost", version=1)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("first", [TOPIC, replace(CAUSE, topic=None)], ids=["topics", "causes"])
async def test_there_are_no_more_than_people_choose_among(first: Topic | Cause) -> None:
    async def fill() -> None:
        for number in range(feedback.CODES_MAX):
            await define(replace(first, code=f"code-{number}"))

    await transaction(fill)
    before = await everything_kept()
    with pytest.raises(InvalidInput) as refused:
        await define(replace(first, code="zzz"))
    assert (refused.value.field, refused.value.rule) == (("code",), "one of at most 200")
    assert await everything_kept() == before
    # One that is there is changed as ever.
    assert (await define(replace(first, code="code-7", version=1))).version == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("code", "sun shine"), ("code", "x" * 65), ("name_zh", ""), ("name_en", "x" * 101)],
)
def test_each_field_has_its_rule(name: str, value: str) -> None:
    given: dict[str, Any] = {name: value}
    told = [*topic_flaws(replace(TOPIC, **given)), *cause_flaws(replace(CAUSE, **given))]
    assert [flaw.field for flaw in told] == [(name,)] * 2
