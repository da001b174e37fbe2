"""How members want to be told, and the texts that staff gives to what they are told."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain import notifications
from domain.errors import InvalidInput
from domain.notifications import (
    KINDS,
    DefinedText,
    Preferences,
    QuietHours,
    SetNotificationPreferences,
)
from domain.program import zone_of
from resolvers import notifications as resolvers
from schema.connections import KeysetList
from schema.cost import MUTATION_COST, STATEMENT_COST, Cost
from schema.fields import Info, computed, input_type, object_type, view
from schema.level_definitions import DEFINES
from schema.mutations import Payload, mutation
from schema.notification_kinds import Channel, KindGroup
from schema.policies import OWNER

TEXTS: Final = KeysetList("notification-texts", (int,))
TEXTS_READ: Final = Cost(own=STATEMENT_COST, items=len(KINDS))
MATRIX: Final = [
    (group, channel) for group in KindGroup for channel in Channel if channel is not Channel.INBOX
]
"""All that a member may say yes or no to."""


@object_type(policy=OWNER)
class NotificationPreference:
    """Whether what is of a group comes by a channel."""

    group: KindGroup
    """What it is about."""

    channel: Channel
    """By what it comes."""

    wanted: bool
    """Whether it does."""

    said: bool
    """Whether the member said so; it is the programme's default otherwise."""


@object_type(policy=OWNER)
class NotificationQuietHours:
    """When a channel is quiet: what would come then comes when they are over."""

    channel: Channel
    """Which channel."""

    begins: str
    """From when, `22:00`."""

    ends: str
    """Until when, `07:30`; earlier than the begin where they go over midnight."""

    time_zone: str
    """By the clocks of which time zone."""


@object_type(policy=OWNER)
class NotificationPreferences:
    """How a member wants to be told. Everything stands in the inbox besides."""

    @computed(OWNER, cost=Cost(items=len(MATRIX)))
    def channels(self) -> list[NotificationPreference]:
        """Each group and channel."""
        said: Preferences = view(self)
        return [
            NotificationPreference(
                group=group,
                channel=channel,
                wanted=said.wants_of(group, channel),
                said=(group, channel) in said.said,
            )
            for group, channel in MATRIX
        ]

    @computed(OWNER, cost=Cost(items=len(Channel)))
    def quiet_hours(self) -> list[NotificationQuietHours]:
        """The hours of each channel that has some."""
        said: Preferences = view(self)
        return [
            NotificationQuietHours(
                channel=channel,
                begins=_clock(hours.from_minute),
                ends=_clock(hours.until_minute),
                time_zone=hours.zone.key,
            )
            for channel in Channel
            if (hours := said.quiet.get(channel)) is not None
        ]


@input_type()
class NotificationPreferenceInput:
    """Whether what is of a group shall come by a channel."""

    group: KindGroup
    """What it is about."""

    channel: Channel
    """By what; not `INBOX`, in which everything stands."""

    wanted: bool
    """Whether it shall."""


@input_type()
class NotificationQuietHoursInput:
    """When a channel shall be quiet; with neither of the two times, never."""

    channel: Channel
    """Which channel; not `INBOX`, which makes no sound."""

    begins: str | None = None
    """From when, `22:00`."""

    ends: str | None = None
    """Until when, `07:30`."""

    time_zone: str | None = None
    """By the clocks of which time zone; the programme's where it is left out."""


@input_type()
class SetNotificationPreferencesInput:
    """How the member wants to be told; what is not named stays as it is."""

    channels: list[NotificationPreferenceInput] | None = None
    """Groups and channels, each of them once."""

    quiet_hours: list[NotificationQuietHoursInput] | None = None
    """Channels, each once."""


@object_type(policy=OWNER)
class SetNotificationPreferencesPayload(Payload):
    """What it led to."""

    preferences: NotificationPreferences | None = None
    """All that holds now; null when it was refused."""


@mutation(OWNER, cost=Cost(own=MUTATION_COST + STATEMENT_COST))
async def set_notification_preferences(
    info: Info, input: SetNotificationPreferencesInput
) -> SetNotificationPreferencesPayload:
    """Say how to be told, by group and channel, and when a channel shall be quiet."""
    said = {(one.group, one.channel): one.wanted for one in input.channels or []}
    if len(said) < len(input.channels or []):
        raise InvalidInput(field=("channels",), rule="each group and channel once")
    zone = (await info.context.programme()).zone.key
    quiet = {
        one.channel: _hours(one, place, zone=zone)
        for place, one in enumerate(input.quiet_hours or [])
    }
    if len(quiet) < len(input.quiet_hours or []):
        raise InvalidInput(field=("quiet_hours",), rule="each channel once")
    command = SetNotificationPreferences(
        member_id=info.context.require_member(), said=said, quiet=quiet
    )
    made: NotificationPreferences = view(await resolvers.set_preferences(info.context, command))
    return SetNotificationPreferencesPayload(preferences=made)


@object_type(policy=DEFINES)
class NotificationText:
    """A version of the text of a kind of notification. `{name}` stands for a fact."""

    kind: str
    """Of which kind, for example `LEVEL_REACHED`."""

    defined_at: datetime | None
    """When staff gave it; null for the text that the programme came with."""

    @computed(DEFINES)
    def version(self) -> int:
        """Grows with each change; `defineNotificationText` names it. 0 where nobody has."""
        return _text(self).version

    @computed(DEFINES)
    def title_zh(self) -> str:
        """The title in Chinese."""
        return _text(self).title_zh

    @computed(DEFINES)
    def title_en(self) -> str:
        """The title in English."""
        return _text(self).title_en

    @computed(DEFINES)
    def body_zh(self) -> str:
        """The text in Chinese."""
        return _text(self).body_zh

    @computed(DEFINES)
    def body_en(self) -> str:
        """The text in English."""
        return _text(self).body_en

    @computed(DEFINES)
    def link(self) -> str | None:
        """Where in the client there is more, a path."""
        return _text(self).link

    @computed(DEFINES)
    def facts(self) -> list[str]:
        """The facts that the text may name."""
        defined: DefinedText = view(self)
        return list(KINDS[defined.kind].facts)


@input_type()
class DefineNotificationTextInput:
    """The next text of a kind of notification, which holds for what was told before, too."""

    kind: str
    """Of which kind."""

    version: int
    """The version when it was read, 0 for the text that the programme came with."""

    title_zh: str
    """The title in Chinese, 1 to 200 characters."""

    title_en: str
    """The title in English, 1 to 200 characters."""

    body_zh: str | None = ""
    """The text in Chinese, at most 2,000 characters."""

    body_en: str | None = ""
    """The text in English, at most 2,000 characters."""

    link: str | None = None
    """Where in the client there is more, a path that begins with `/`."""


@object_type(policy=DEFINES)
class DefineNotificationTextPayload(Payload):
    """What it led to."""

    text: NotificationText | None = None
    """The newest version; null when it was refused."""


@mutation(DEFINES)
async def define_notification_text(
    info: Info, input: DefineNotificationTextInput
) -> DefineNotificationTextPayload:
    """Give a kind of notification its next text, in both languages."""
    text = notifications.NotificationText(
        title_zh=input.title_zh,
        title_en=input.title_en,
        body_zh=input.body_zh or "",
        body_en=input.body_en or "",
        link=input.link,
        version=input.version,
    )
    made: NotificationText = view(await resolvers.define_text(info.context, input.kind, text))
    return DefineNotificationTextPayload(text=made)


def _hours(given: NotificationQuietHoursInput, place: int, *, zone: str) -> QuietHours | None:
    if given.begins is None and given.ends is None:
        return None
    path = ("quiet_hours", str(place))
    try:
        in_force = zone_of(given.time_zone or zone)
    except InvalidInput as wrong:
        raise InvalidInput(field=(*path, "time_zone"), rule=wrong.rule) from None
    return QuietHours(
        from_minute=_minute(given.begins, field=(*path, "begins")),
        until_minute=_minute(given.ends, field=(*path, "ends")),
        zone=in_force,
    )


def _minute(text: str | None, *, field: tuple[str, ...]) -> int:
    try:
        at = datetime.strptime(text or "", "%H:%M")  # noqa: DTZ007 - a time of the day, no moment
    except ValueError:
        raise InvalidInput(field=field, rule="a time of the day, as 22:00") from None
    return at.hour * 60 + at.minute


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _text(value: object) -> notifications.NotificationText:
    defined: DefinedText = view(value)
    return defined.text
