"""Defining what points buy: by the merchant, or by staff, whose changes are recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import audit, catalogue, tiers
from domain.audit import Actor, Target
from domain.errors import Flaws, InvalidInput, RewardChanged, RewardExists, RewardUnknown
from domain.ledger import POINTS_MAX
from domain.outbox import Event, announce
from domain.rewards.offers import REWARD_COLUMNS, CouponTerms, Reward, reward_of
from domain.rewards.rules import PERMILLE, CouponOff, RewardKind
from domain.rewards.tables import REWARDS
from domain.storage import fetch_one, transaction
from domain.texts import clean_code, clean_text

TITLE_CHARACTERS_MAX: Final = 100
DESCRIPTION_CHARACTERS_MAX: Final = 2_000
URL_CHARACTERS_MAX: Final = 2_048
PRODUCT_CHARACTERS_MAX: Final = 64
COUNT_MAX: Final = 2**31 - 1
COUPON_DAYS_MAX: Final = 3_650

CHANGEABLE: Final = frozenset(
    [
        "title_zh",
        "title_en",
        "description_zh",
        "description_en",
        "image_url",
        "points_price",
        "stock",
        "level_required",
        "begins_at",
        "ends_at",
        "per_member",
        "coupon",
        "product_code",
    ]
)
"""What may change of a reward. Its code and its kind are for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardDefinition:
    """A reward: `kind` GIFT, COUPON, PERK or PARTNER_PRIZE; `stock` None for unlimited.

    `product_code` is the product of the catalogue that it gives, where it gives one.
    """

    id: UUID = field(default_factory=uuid7)
    code: str
    title_zh: str
    title_en: str
    description_zh: str
    description_en: str
    kind: str
    points_price: int
    stock: int | None = None
    image_url: str | None = None
    level_required: str | None = None
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    per_member: int | None = None
    coupon: CouponTerms = field(default_factory=CouponTerms)
    product_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeReward:
    """Change what is named of a reward that stands at `version`; None takes a limit away."""

    reward_id: UUID
    version: int
    changes: Mapping[str, Any]


async def define_rewards(rewards: Sequence[RewardDefinition], *, now: datetime) -> None:
    """Add the rewards that do not exist yet, by their codes; existing ones stay."""

    async def work() -> None:
        rows = [_row(_made(one)) | {"created_at": now} for one in rewards]
        await REWARDS.insert(rows, or_ignore=True)
        await announce([Event(kind="RewardsDefined", member_id=None, facts={})], now=now)

    await transaction(work)


async def define_reward(definition: RewardDefinition, *, by: Actor, now: datetime) -> Reward:
    """Add a reward. The same definition again is answered with the reward that it made.

    Refused: InvalidInput, RewardExists (another reward has the code).
    """

    async def work() -> Reward:
        reward = _made(definition)
        await _check(reward)
        row = await fetch_one(_LOCKED_BY_CODE, reward.code)
        if row is not None:
            known = reward_of(row)
            if replace(reward, id=known.id) != known:
                raise RewardExists(reward=reward.code, field=("code",))
            _record(by, "reward.define", known, after={"version": known.version}, now=now)
            return known
        await REWARDS.insert([_row(reward) | {"created_at": now}])
        await announce([Event(kind="RewardsDefined", member_id=None, facts={})], now=now)
        _record(by, "reward.define", reward, after=_facts(reward), now=now)
        return reward

    return await transaction(work)


async def change_reward(command: ChangeReward, *, by: Actor, now: datetime) -> Reward:
    """Change a reward. Redemptions and coupons that were given out stay as they are.

    `stock` is what is left from now on. Refused: RewardUnknown, RewardChanged (somebody was
    faster), InvalidInput.
    """
    assert command.changes.keys() <= CHANGEABLE, "the code and the kind are for ever"

    async def work() -> Reward:
        row = await fetch_one(_LOCKED, command.reward_id)
        if row is None:
            raise RewardUnknown(field=("reward_id",))
        before = reward_of(row)
        if before.version != command.version:
            raise RewardChanged(version=before.version, field=("version",))
        after = replace(before, **command.changes)
        await _check(after)
        was, is_now = _facts(before), _facts(after)
        differing = [name for name in was if was[name] != is_now[name]]
        if differing:
            after = replace(after, version=before.version + 1)
            await REWARDS.update([_row(after)], key=("id",))
            await announce([Event(kind="RewardChanged", member_id=None, facts={})], now=now)
        _record(
            by,
            "reward.change",
            after,
            before={name: was[name] for name in differing} | {"version": before.version},
            after={name: is_now[name] for name in differing} | {"version": after.version},
            now=now,
        )
        return after

    return await transaction(work)


def reward_flaws(definition: RewardDefinition) -> Sequence[InvalidInput]:
    """Every rule that the reward breaks by itself; whether there is its level is not looked at."""
    return _flaws(_made(definition)).found


_LOCKED = f"SELECT {REWARD_COLUMNS} FROM reward WHERE id = $1 FOR NO KEY UPDATE"
_LOCKED_BY_CODE = f"SELECT {REWARD_COLUMNS} FROM reward WHERE code = $1 FOR NO KEY UPDATE"


def _made(definition: RewardDefinition) -> Reward:
    values = {name: getattr(definition, name) for name in RewardDefinition.__slots__}
    try:
        kind = RewardKind(definition.kind)
    except ValueError:
        raise InvalidInput(field=("kind",), rule=f"one of {', '.join(RewardKind)}") from None
    return Reward(**{**values, "kind": kind, "version": 1})


def _row(reward: Reward) -> dict[str, Any]:
    row = asdict(reward)
    coupon = row.pop("coupon")
    value = coupon.pop("value")
    return {
        **row,
        "kind": reward.kind.value,
        "coupon_days": coupon["days"],
        "coupon_off": value["off"].value if value["off"] else None,
        "coupon_value": value["value"],
        "amount_min_fen": value["amount_min_fen"],
        "discount_max_fen": value["discount_max_fen"],
        "stacks": coupon["stacks"],
        "terms_zh": coupon["terms_zh"],
        "terms_en": coupon["terms_en"],
    }


def _facts(reward: Reward) -> dict[str, Any]:
    """What the audit log tells of a reward."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in _row(reward).items()
        if name not in {"id", "version"}
    }


def _record(
    by: Actor,
    action: str,
    reward: Reward,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any],
    now: datetime,
) -> None:
    target = Target(kind="reward", id=reward.code)
    audit.record(by, action, target=target, before=before, after=after, now=now)


async def _check(reward: Reward) -> None:
    """Refuse InvalidInput with the first field that breaks a rule."""
    _flaws(reward).refuse_first()
    if reward.level_required is not None:
        codes = [level.code for level in await tiers.read_levels()]
        if reward.level_required not in codes:
            raise InvalidInput(field=("level_required",), rule=f"one of {', '.join(codes)}")
    code = reward.product_code
    if code is not None and not await catalogue.products_by_code([code]):
        raise InvalidInput(field=("product_code",), rule="the code of a product")


def _flaws(reward: Reward) -> Flaws:
    flaws = Flaws()
    with flaws.noted():
        clean_code(reward.code, field=("code",), characters_max=64)
    for name in ("title_zh", "title_en"):
        with flaws.noted():
            clean_text(
                getattr(reward, name),
                field=(name,),
                characters_min=1,
                characters_max=TITLE_CHARACTERS_MAX,
            )
    if reward.product_code is not None:
        with flaws.noted():
            clean_text(
                reward.product_code,
                field=("product_code",),
                characters_min=1,
                characters_max=PRODUCT_CHARACTERS_MAX,
            )
    for name in ("description_zh", "description_en"):
        _note_lines(flaws, getattr(reward, name), field=(name,))
    _note_range(flaws, reward.points_price, 1, POINTS_MAX, field=("points_price",))
    _note_range(flaws, reward.stock, 0, COUNT_MAX, field=("stock",))
    _note_range(flaws, reward.per_member, 1, COUNT_MAX, field=("per_member",))
    if reward.begins_at and reward.ends_at and reward.begins_at >= reward.ends_at:
        flaws.found.append(InvalidInput(field=("ends_at",), rule="after the beginning"))
    _note_coupon(flaws, reward)
    return flaws


def _note_coupon(flaws: Flaws, reward: Reward) -> None:
    terms = reward.coupon
    value = terms.value
    if (value.off is not None) != (reward.kind is RewardKind.COUPON):
        rule = "a discount for COUPON, and for it alone"
        flaws.found.append(InvalidInput(field=("coupon",), rule=rule))
    if value.off is CouponOff.SHARE:
        _note_range(flaws, value.value, 1, PERMILLE, field=("coupon", "permille_off"))
    elif value.off is CouponOff.AMOUNT:
        _note_range(flaws, value.value, 1, POINTS_MAX, field=("coupon", "amount_off"))
    _note_range(flaws, value.amount_min_fen, 0, POINTS_MAX, field=("coupon", "amount_min"))
    _note_range(flaws, value.discount_max_fen, 1, POINTS_MAX, field=("coupon", "discount_max"))
    _note_range(flaws, terms.days, 1, COUPON_DAYS_MAX, field=("coupon", "days"))
    for name in ("terms_zh", "terms_en"):
        _note_lines(flaws, getattr(terms, name), field=("coupon", name))


def _note_lines(flaws: Flaws, text: str, *, field: tuple[str, ...]) -> None:
    with flaws.noted():
        clean_text(text, field=field, characters_max=DESCRIPTION_CHARACTERS_MAX, lines=True)


def _note_range(
    flaws: Flaws, value: int | None, at_least: int, at_most: int, *, field: tuple[str, ...]
) -> None:
    if value is not None and not at_least <= value <= at_most:
        flaws.found.append(InvalidInput(field=field, rule=f"{at_least} to {at_most}"))
