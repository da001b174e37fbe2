"""The reference model of a storm: what partners may have been told, and what must have come of it.

Items of one partner are independent but for what they share: an id, a business event, a grant and
its reversals, a budget, a cap. Where the order of arrival decides nothing, the model knows the one
outcome. Where it does, it knows what every order has in common: one effect for an id, a limit that
is kept, and a refusal only where the limit leaves no room.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from tests.faults.storm_partners import Pusher
from tests.faults.storm_plans import Planned, Stage
from tests.faults.storm_sending import Told

LIMITS: Final = frozenset({"BUDGET_EXHAUSTED", "CAP_REACHED"})
REMEMBERED: Final = frozenset({"AMOUNT_INVALID", "TOO_OLD"})
"""Refusals that stay: whoever sends the item again is told that it was there."""

Seen = Sequence[tuple[Planned, Mapping[str, Any]]]
"""An item as it was sent, with its receipt, for each of its places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An item as the database has it. `entry_id` is what receipts call it."""

    member_id: UUID | None
    stage: Stage | None
    points: int
    day: date
    is_grant: bool
    status: str
    code: str | None
    entry_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A campaign as it stands at the end."""

    budget: int
    spent: int
    of_a_member: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the database holds of one partner at the end."""

    rows: Mapping[str, Row]
    limits: Mapping[Stage, Limit]
    days: Mapping[date, int]
    batches: int


def differences(pusher: Pusher, told: Told, kept: Kept) -> list[str]:
    """What cannot be, in words; nothing where all is well."""
    found = [
        *_answers(pusher, told),
        *_items(pusher, told),
        *_rows(pusher, told, kept),
        *_sums(pusher, kept),
        *_refusals(pusher, kept),
    ]
    return [f"{pusher.partner.code}: {one}" for one in found]


def _answers(pusher: Pusher, told: Told) -> Iterator[str]:
    """Each batch has one answer, however often it was given."""
    if told.answers.keys() != pusher.plan.batches.keys():
        yield "batches without an answer"
    for batch_id, answers in told.answers.items():
        contents = [{**one, "replayed": None} for one in answers]
        if any(one != contents[0] for one in contents):
            yield f"{batch_id} was answered in two ways"
        if sum(not one["replayed"] for one in answers) > 1:
            yield f"{batch_id} was done twice"
        names = [one.external_id for one in pusher.plan.batches[batch_id]]
        receipts = answers[0]["receipts"]
        if [(one["index"], one["externalId"]) for one in receipts] != [*enumerate(names)]:
            yield f"{batch_id} has other receipts than items"
        counted = Counter(one["status"].lower() for one in receipts)
        if {name: number for name, number in answers[0]["counts"].items() if number} != counted:
            yield f"{batch_id} counts wrongly"


def seen_by_id(pusher: Pusher, told: Told) -> Mapping[str, Seen]:
    """Every place of each id, with its receipt."""
    seen: defaultdict[str, list[tuple[Planned, Mapping[str, Any]]]] = defaultdict(list)
    for batch_id, index, item in pusher.plan.items:
        seen[item.external_id].append((item, told.answers[batch_id][0]["receipts"][index]))
    return seen


def _items(pusher: Pusher, told: Told) -> Iterator[str]:
    """Each id is in effect once, and all its receipts say so."""
    seen, reversals, events = seen_by_id(pusher, told), defaultdict(list), defaultdict(list)
    for name, places in seen.items():
        item, standing = places[0][0], told.standing.get(name)
        if standing is None:
            yield f"{name} has no receipt"
            continue
        if item.reverses is not None:
            reversals[item.reverses].append(name)
            wrong = _reversal(places, standing)
        elif item.refused is not None:
            wrong = _refused(places, standing)
        else:
            wrong = _grant(places, standing, may_be_refused=not _is_sure(pusher, item))
        if item.event is not None:
            events[item.event].append(standing)
        if wrong:
            yield f"{name}: {wrong}: {standing}, {[receipt for _, receipt in places]}"
    for grant, names in reversals.items():
        backs = sorted((told.standing[one]["status"], told.standing[one]["code"]) for one in names)
        if backs != _backs(told.standing[grant]["status"], len(names)):
            yield f"{grant} is {told.standing[grant]['status']}, its reversals {backs}"
    for event, standings in events.items():
        statuses = Counter(one["status"] for one in standings)
        if statuses["APPLIED"] > 1 or statuses["DUPLICATE"] > statuses["APPLIED"]:
            yield f"the event {event} was granted as {statuses}"
        if len({one["entryId"] for one in standings} - {None}) > 1:
            yield f"the event {event} has two entries"


def _backs(grant: str, number: int) -> list[tuple[str, str | None]]:
    if grant != "APPLIED":
        return [("PENDING", None)] * number
    return [("APPLIED", None), *[("REJECTED", "REVERSED_BEFORE")] * (number - 1)]


def _is_sure(pusher: Pusher, item: Planned) -> bool:
    return pusher.has_wide_day and item.stage is Stage.WIDE


def _refused(seen: Seen, standing: Mapping[str, Any]) -> str:
    code = seen[0][0].refused
    if (standing["status"], standing["code"]) != ("REJECTED", code):
        return f"stands otherwise than refused for {code}"
    first, again = ("REJECTED", None, code), ("DUPLICATE", "REJECTED", code)
    each = Counter(_verdict(receipt) for _, receipt in seen)
    if code not in REMEMBERED:
        return "" if each == {first: len(seen)} else "was told another refusal"
    right = Counter({first: 1, again: len(seen) - 1})
    return "" if each == +right else "was not refused once and remembered"


def _grant(seen: Seen, standing: Mapping[str, Any], *, may_be_refused: bool) -> str:
    applied = [item for item, receipt in seen if receipt["status"] == "APPLIED"]
    winner: Planned | None
    match standing["status"]:
        case "APPLIED" if len(applied) == 1:
            winner = applied[0]
        case "DUPLICATE" if seen[0][0].event is not None and not applied:
            winner = seen[0][0]
        case "REJECTED" if may_be_refused and standing["code"] in LIMITS and not applied:
            winner = None
        case _:
            return f"stands wrongly, applied {len(applied)} times"
    for item, receipt in seen:
        verdict = _verdict(receipt)
        if verdict == ("APPLIED", None, None):
            right = receipt["entryId"] == standing["entryId"]
        elif receipt["status"] == "REJECTED" and receipt["code"] in LIMITS:
            right = may_be_refused
        elif winner is not None and item == winner:
            right = verdict == ("DUPLICATE", "APPLIED", None)
            right = right and receipt["entryId"] == standing["entryId"]
        else:
            right = verdict == ("REJECTED", None, "IDEMPOTENCY_CONFLICT") and winner is not None
        if not right:
            return f"a receipt cannot be {verdict}"
    return ""


def _reversal(seen: Seen, standing: Mapping[str, Any]) -> str:
    first = [receipt for _, receipt in seen if receipt["status"] != "DUPLICATE"]
    if len(first) != 1:
        return f"was done {len(first)} times"
    told = first[0]["status"]
    if told != "PENDING" and _verdict(first[0])[::2] != (standing["status"], standing["code"]):
        return "stands otherwise than it was told"
    for _, receipt in seen:
        if receipt is not first[0] and receipt["firstStatus"] != told:
            return "a repeat tells another first status"
        if receipt["entryId"] not in {None, standing["entryId"]}:
            return "a receipt has another entry"
    return ""


def _verdict(receipt: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
    return receipt["status"], receipt["firstStatus"], receipt["code"]


def _rows(pusher: Pusher, told: Told, kept: Kept) -> Iterator[str]:
    """What partners are told is what the database holds."""
    if kept.batches != len(pusher.plan.batches):
        yield f"{kept.batches} batches are kept"
    if kept.rows.keys() != told.standing.keys():
        yield "other items are kept than told of"
    seen = seen_by_id(pusher, told)
    for name, row in kept.rows.items():
        standing = told.standing[name]
        if (row.status, row.code) != (standing["status"], standing["code"]):
            yield f"{name} is kept as {row.status} {row.code}"
        if row.status != "APPLIED":
            continue
        if row.entry_id != standing["entryId"]:
            yield f"{name} is kept with another entry"
        told_applied = [one for one, receipt in seen[name] if receipt["status"] == "APPLIED"]
        item = (told_applied or [seen[name][0][0]])[0]
        effect = (pusher.member_of(item), item.stage, item.points, item.reverses is None)
        if (row.member_id, row.stage, row.points, row.is_grant) != effect:
            yield f"{name} had another effect than {effect}"


def _sums(pusher: Pusher, kept: Kept) -> Iterator[str]:
    """What is counted is what stands, and no limit is passed."""
    spent, days, members = Counter[Stage](), Counter[date](), Counter[tuple[UUID, date]]()
    for row in kept.rows.values():
        if row.status == "APPLIED" and row.stage is not None and row.member_id is not None:
            spent[row.stage] += row.points if row.is_grant else -row.points
            if row.is_grant:
                days[row.day] += row.points
            if row.is_grant and row.stage is Stage.CAPPED:
                members[row.member_id, row.day] += row.points
    for stage, limit in kept.limits.items():
        if spent[stage] != limit.spent or not 0 <= limit.spent <= limit.budget:
            yield f"{stage} has spent {limit.spent} of {limit.budget}, its items {spent[stage]}"
    if days != Counter(kept.days):
        yield f"the days count {kept.days}, their items {days}"
    if any(points > pusher.partner.points_per_day for points in days.values()):
        yield f"more than {pusher.partner.points_per_day} were granted on a day: {days}"
    cap = kept.limits[Stage.CAPPED].of_a_member
    for (member_id, day), points in members.items():
        if points > cap:
            yield f"{member_id} got {points} on {day}, more than {cap}"


def _refusals(pusher: Pusher, kept: Kept) -> Iterator[str]:
    """What a limit refused had no room: neither then, nor now, where nothing is given back."""
    tight, capped = kept.limits[Stage.TIGHT], kept.limits[Stage.CAPPED]
    members = Counter[tuple[UUID | None, date]]()
    for row in kept.rows.values():
        if row.is_grant and row.status == "APPLIED" and row.stage is Stage.CAPPED:
            members[row.member_id, row.day] += row.points
    for name, row in kept.rows.items():
        if row.code == "BUDGET_EXHAUSTED":
            if row.stage is not Stage.TIGHT:
                yield f"{name} was refused for a budget that binds nobody"
            elif not pusher.plan.gives_tight_back and tight.spent + row.points <= tight.budget:
                yield f"{name} was refused for a budget with room for it"
        if row.code == "CAP_REACHED":
            in_day = kept.days.get(row.day, 0) + row.points <= pusher.partner.points_per_day
            here = row.stage is Stage.CAPPED
            of_member = members[row.member_id, row.day] + row.points
            if in_day and not (here and of_member > capped.of_a_member):
                yield f"{name} was refused for caps with room for it"


def points_of(kept: Sequence[Kept]) -> Counter[UUID]:
    """What every member has, by the items of all partners."""
    points = Counter[UUID]()
    for row in (row for one in kept for row in one.rows.values()):
        if row.status == "APPLIED" and row.member_id is not None:
            points[row.member_id] += row.points if row.is_grant else -row.points
    return points
