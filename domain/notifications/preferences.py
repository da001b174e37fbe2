"""How members want to be told: what they said, read and written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.errors import InvalidInput
from domain.members import lock_member, owners_of_records
from domain.notifications.kinds import KindGroup
from domain.notifications.quiet import MINUTES_OF_DAY, Channel, Preferences, QuietHours
from domain.outbox import Event, announce
from domain.storage import Row, Table, execute, fetch_all, transaction

_SAID: Final = Table(
    "notification_preference",
    member_id="uuid",
    kind_group="text",
    channel="text",
    wanted="boolean",
    set_at="timestamptz",
)
_QUIET: Final = Table(
    "notification_quiet_hours",
    member_id="uuid",
    channel="text",
    from_minute="smallint",
    until_minute="smallint",
    time_zone="text",
    set_at="timestamptz",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNotificationPreferences:
    """What a member says anew; all else stays as it is.

    `quiet` names channels, each with its hours, or None where none shall be quiet any more.
    """

    member_id: UUID
    said: Mapping[tuple[KindGroup, Channel], bool]
    quiet: Mapping[Channel, QuietHours | None]


async def preferences(member_id: UUID) -> Preferences:
    """What the member said, as `preferences_of`."""
    return (await preferences_of([member_id]))[member_id]


async def preferences_of(member_ids: Collection[UUID]) -> Mapping[UUID, Preferences]:
    """What each of these members said; three statements, and one for each merge in a row.

    Records that were joined to a member's speak where that one says nothing: of what they say, no
    beats yes, and the newest hours count. Members are named by the records that they have now.
    """
    owners = await owners_of_records(member_ids)
    records = list(owners)
    said = await fetch_all(
        "SELECT member_id, kind_group, channel, wanted FROM notification_preference"
        " WHERE member_id = ANY($1::uuid[])",
        records,
    )
    quiet = await fetch_all(
        "SELECT member_id, channel, from_minute, until_minute, time_zone"
        " FROM notification_quiet_hours WHERE member_id = ANY($1::uuid[]) ORDER BY set_at",
        records,
    )
    said_by, quiet_of = _by_owner(said, owners), _by_owner(quiet, owners)
    return {
        one: Preferences(
            said=_joined(said_by[one], member_id=one),
            # Later ones take the place of earlier ones, and the member's own that of all others.
            quiet={
                Channel(row["channel"]): _hours(row)
                for row in sorted(quiet_of[one], key=lambda row: row["member_id"] == one)
            },
        )
        for one in member_ids
    }


async def set_notification_preferences(
    command: SetNotificationPreferences, *, now: datetime
) -> Preferences:
    """Keep what the member says; their preferences as they are then.

    What was so already writes nothing. Refused: InvalidInput (the inbox, which has everything and
    makes no sound; hours that begin where they end), MemberNotFound.
    """
    _check(command)

    async def work() -> Preferences:
        mine = await lock_member(command.member_id)
        before = await preferences(mine)
        said = {
            key: wanted for key, wanted in command.said.items() if before.said.get(key) != wanted
        }
        quiet = {
            channel: hours
            for channel, hours in command.quiet.items()
            if channel not in before.quiet or before.quiet[channel] != hours
        }
        if said or quiet:
            await _write(mine, said, quiet, now=now)
            await _look_again(mine, quiet, now=now)
            event = Event(kind="NotificationPreferencesSet", member_id=mine, facts={})
            await announce([event], now=now)
        return Preferences(said={**before.said, **said}, quiet={**before.quiet, **quiet})

    return await transaction(work)


async def _write(
    member_id: UUID,
    said: Mapping[tuple[KindGroup, Channel], bool],
    quiet: Mapping[Channel, QuietHours | None],
    *,
    now: datetime,
) -> None:
    await _SAID.insert(
        (
            {
                "member_id": member_id,
                "kind_group": group.value,
                "channel": channel.value,
                "wanted": wanted,
                "set_at": now,
            }
            for (group, channel), wanted in said.items()
        ),
        or_update="(member_id, kind_group, channel) DO UPDATE SET"
        " wanted = excluded.wanted, set_at = excluded.set_at",
    )
    await _QUIET.insert(
        (
            {
                "member_id": member_id,
                "channel": channel.value,
                "from_minute": hours and hours.from_minute,
                "until_minute": hours and hours.until_minute,
                "time_zone": hours and hours.zone.key,
                "set_at": now,
            }
            for channel, hours in quiet.items()
        ),
        or_update="(member_id, channel) DO UPDATE SET from_minute = excluded.from_minute,"
        " until_minute = excluded.until_minute, time_zone = excluded.time_zone,"
        " set_at = excluded.set_at",
    )


async def _look_again(member_id: UUID, quiet: Collection[Channel], *, now: datetime) -> None:
    """Let what waits for the end of hours that are other ones now be looked at by its senders."""
    if quiet:
        await execute(
            "UPDATE notification_delivery SET next_at = $3 WHERE member_id = $1 AND next_at > $3"
            " AND channel = ANY($2::text[]) AND state = 'WAITING' AND reason = 'quiet_hours'"
            " AND lease IS NULL",
            *(member_id, [one.value for one in quiet], now),
        )


def _by_owner(rows: Sequence[Row], owners: Mapping[UUID, UUID]) -> Mapping[UUID, list[Row]]:
    found: defaultdict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        found[owners[row["member_id"]]].append(row)
    return found


def _joined(rows: Sequence[Row], *, member_id: UUID) -> dict[tuple[KindGroup, Channel], bool]:
    said: dict[tuple[KindGroup, Channel], bool] = {}
    for row in sorted(rows, key=lambda row: (row["member_id"] == member_id, not row["wanted"])):
        said[KindGroup(row["kind_group"]), Channel(row["channel"])] = row["wanted"]
    return said


def _hours(row: Row) -> QuietHours | None:
    if row["from_minute"] is None:
        return None
    return QuietHours(
        from_minute=row["from_minute"],
        until_minute=row["until_minute"],
        zone=ZoneInfo(row["time_zone"]),
    )


def _check(command: SetNotificationPreferences) -> None:
    if Channel.INBOX in {channel for _, channel in command.said}:
        raise InvalidInput(field=("channels",), rule="no INBOX, which has everything")
    if Channel.INBOX in command.quiet:
        raise InvalidInput(field=("quiet_hours",), rule="no INBOX, which makes no sound")
    for hours in command.quiet.values():
        if hours is None:
            continue
        minutes = {hours.from_minute, hours.until_minute}
        if len(minutes) < 2 or not all(0 <= minute < MINUTES_OF_DAY for minute in minutes):
            raise InvalidInput(field=("quiet_hours",), rule="from one time of the day to another")
