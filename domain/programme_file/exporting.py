"""The programme as it is now, as a file."""

from __future__ import annotations

from collections import defaultdict

from domain import feedback, notifications, program, purchases, rewards, tiers
from domain.programme_file.contents import Contents, FiledLevel, FiledPerk
from domain.programme_file.writing import document_of
from domain.programme_file.yaml_text import yaml_text
from domain.rewards import Reward, RewardDefinition
from domain.storage import snapshot


async def export_programme() -> str:
    """The settings of the programme as YAML: those that nobody has set as they hold by default.

    All is read as of one moment. The same settings are the same text, whichever the database.
    """
    return yaml_text(document_of(await snapshot(read_programme)))


async def read_programme() -> Contents:
    """The settings as they are now; those of what is left of a reward among them."""
    perks = defaultdict(list)
    for perk in await tiers.defined_perks():
        one = FiledPerk(definition=perk.definition, is_retired=perk.retired_at is not None)
        perks[perk.definition.level_code].append(one)
    calendar = await feedback.service_calendar()
    levels = await feedback.service_levels_in_force()
    return Contents(
        programme=await program.program(),
        level_rules=await tiers.level_rules(),
        levels=[
            FiledLevel(definition=one.definition, perks=perks[one.definition.code])
            for one in await tiers.defined_levels()
        ],
        earning_rules=await purchases.newest_rules(),
        rewards=[_definition(one) for one in await rewards.all_rewards()],
        feedback_topics=await feedback.topics(all_of_them=True),
        feedback_causes=await feedback.causes(all_of_them=True),
        service_calendar=calendar if calendar.version else None,
        service_levels=levels if levels.version else None,
        # Those that staff gave; the others are those that the programme came with.
        notification_texts=[one for one in await notifications.defined_texts() if one.text.version],
    )


def _definition(reward: Reward) -> RewardDefinition:
    return RewardDefinition(**{name: getattr(reward, name) for name in RewardDefinition.__slots__})
