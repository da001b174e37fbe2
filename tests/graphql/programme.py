"""The programme of these tests, small enough to reckon with by hand; made by the real writers.

One point per yuan, one and a half for tea; a perk of silver gives a tenth more. Points live for
twelve months.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

from domain import access, catalogue, members, program, purchases, rewards, tiers
from domain.access import Account, CallerKind, RegisterAccount, StaffRole
from domain.catalogue import CatalogueItem, Theme
from domain.ledger import AfterMonths
from domain.members import ConsentText
from domain.purchases import EarningRule
from domain.rewards import CouponOff, CouponTerms, CouponValue, RewardDefinition
from domain.tiers import LevelDefinition, PerkDefinition
from tests.domain.access.fixtures import OPERATOR

SHOP, ARCADE, CLERK = "corner-shop", "arcade", "clerk"

TEA = Theme(code="tea", name_zh="茶饮", name_en="Tea")
HOME = Theme(code="home", name_zh="家居", name_en="Home")
GEMS = Theme(code="gems", name_zh="珠宝", name_en="Gems")

PRODUCTS = (
    CatalogueItem(
        code="tea",
        title="西湖龙井 100g",
        theme=TEA,
        image_url="https://img.jifen.example/tea.png",
        price_fen=16_800,
    ),
    CatalogueItem(code="cup", title="青瓷茶杯", theme=HOME, price_fen=8_800),
    CatalogueItem(code="bag", title="礼品袋"),
    CatalogueItem(code="diamond", title="钻石", theme=GEMS, price_fen=2**53 - 1),
)

RULE = EarningRule(
    code="standard",
    version=0,
    permille_per_yuan=1_000,
    themes={"tea": 1_500, "gems": 1_000_000},
    expiry=AfterMonths(12),
)

LEVELS = tuple(
    LevelDefinition(code=code, rank=rank, name_zh=zh, name_en=en, threshold=threshold)
    for rank, (code, zh, en, threshold) in enumerate(
        [
            ("bronze", "青铜会员", "Bronze", 0),
            ("silver", "白银会员", "Silver", 1_000),
            ("gold", "黄金会员", "Gold", 3_000),
        ]
    )
)


def perk_id(level: str, code: str) -> UUID:
    """The id of a perk of this programme."""
    return uuid5(NAMESPACE_URL, f"https://jifen.example/tests/perk/{level}/{code}")


def _perk(level: str, code: str, position: int, **definition: object) -> PerkDefinition:
    made = PerkDefinition(
        id=perk_id(level, code),
        level_code=level,
        code=code,
        position=position,
        kind="DISCOUNT",
        value="0.98",
        title_zh="会员折扣",
        title_en="Member discount",
        description_zh="全场 98 折",
        description_en="2 % off everything",
    )
    return replace(made, **definition)  # type: ignore[arg-type]  # by name, from the lines below


_SHIPPING = {
    "kind": "FREE_SHIPPING",
    "title_zh": "包邮",
    "title_en": "Free shipping",
    "period": "MONTH",
}
PERKS = (
    _perk(
        "bronze",
        "shipping",
        0,
        **_SHIPPING,
        value="99",
        quota=1,
        description_zh="满 99 元",
        description_en="From 99 yuan",
    ),
    _perk("silver", "discount", 0),
    _perk(
        "silver",
        "shipping",
        1,
        **_SHIPPING,
        value="59",
        quota=4,
        description_zh="满 59 元",
        description_en="From 59 yuan",
    ),
    _perk(
        "silver",
        "points",
        2,
        kind="EARNING_MULTIPLIER",
        value="1.1",
        title_zh="积分加速",
        title_en="More points",
        description_zh="多得一成",
        description_en="A tenth more",
    ),
    _perk(
        "gold",
        "shipping",
        0,
        **_SHIPPING,
        value="0",
        quota=2,
        description_zh="全部包邮",
        description_en="Always",
    ),
    _perk(
        "gold",
        "cake",
        1,
        kind="BIRTHDAY_GIFT",
        value="cake",
        title_zh="生日蛋糕",
        title_en="Birthday cake",
        description_zh="每年一个",
        description_en="One a year",
        quota=1,
        period="BIRTHDAY",
    ),
)


PURPOSES = ("behavior_tracking", "marketing", "partner:*", "personalization", "terms")


def consent_text(purpose: str, version: str = "1") -> ConsentText:
    """What members are asked to agree to."""
    return ConsentText(
        purpose=purpose,
        version=version,
        title_zh=f"授权 {purpose}",
        title_en=f"Consent to {purpose}",
        body_zh=f"第 {version} 版",
        body_en=f"Version {version}",
    )


def _reward(code: str, kind: str, price: int, **definition: object) -> RewardDefinition:
    made = RewardDefinition(
        id=uuid5(NAMESPACE_URL, f"https://jifen.example/tests/reward/{code}"),
        code=code,
        kind=kind,
        points_price=price,
        title_zh=f"{code} 奖励",
        title_en=f"The {code}",
        description_zh="说明",
        description_en="What it is",
    )
    return replace(made, **definition)  # type: ignore[arg-type]  # by name, from the lines below


TEN_OFF = CouponTerms(
    value=CouponValue(off=CouponOff.AMOUNT, value=1_000, amount_min_fen=2_000),
    days=30,
    terms_zh="满 20 元可用",
    terms_en="From 20 yuan",
)
REWARDS = (
    _reward("coupon", "COUPON", 10, coupon=TEN_OFF),
    _reward(
        "gift",
        "GIFT",
        20,
        stock=1_000,
        image_url="https://img.jifen.example/gift.png",
        product_code="cup",
    ),
    _reward("seat", "PERK", 30, level_required="gold", stock=5),
    _reward("gone", "GIFT", 40, stock=0),
    _reward(
        "box",
        "GIFT",
        50,
        image_url="https://img.jifen.example/box.png",
        level_required="silver",
        stock=500,
        per_member=3,
        begins_at=datetime(2026, 1, 1, tzinfo=UTC),
        ends_at=datetime(2028, 1, 1, tzinfo=UTC),
    ),
    _reward(
        "tenth",
        "COUPON",
        60,
        coupon=CouponTerms(
            value=CouponValue(off=CouponOff.SHARE, value=100, discount_max_fen=5_000), stacks=True
        ),
    ),
)


async def set_up_programme(*, now: datetime) -> None:
    """Make the programme, a shop, a partner without a right to write purchases, and staff."""
    await program.set_up(
        program.Programme(
            name_zh="茶语会员",
            name_en="Teatalk Club",
            zone=ZoneInfo("Asia/Shanghai"),
            currency="CNY",
        ),
        now=now,
    )
    await tiers.define_levels(LEVELS, perks=PERKS, now=now)
    await catalogue.upsert_products(PRODUCTS, now=now)
    await purchases.publish_rule(RULE, now=now)
    await members.publish_consent_texts([consent_text(one) for one in PURPOSES], now=now)
    await rewards.define_rewards(REWARDS, now=now)
    await open_shop(SHOP, now=now)
    await open_account(CallerKind.PARTNER, ARCADE, "rewards:write", now=now)
    await open_account(CallerKind.STAFF, CLERK, *StaffRole, now=now)


async def open_shop(code: str, *, now: datetime) -> None:
    """Make a shop that may record purchases."""
    grants = ("purchases:write", "points:hold", "coupons:use")
    await open_account(CallerKind.SHOP, code, *grants, now=now)


async def open_account(kind: CallerKind, code: str, *grants: str, now: datetime) -> Account:
    """Make an account, as the operator of these tests."""
    command = RegisterAccount(kind=kind, code=code, name=code, grants=frozenset(grants))
    return await access.register_account(command, by=OPERATOR, now=now)
