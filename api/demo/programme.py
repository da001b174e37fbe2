"""What the demo programme is: levels, perks, rewards, products, the earning rules, who may call."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

from api.cli.operators import operator
from api.demo.consents import CONSENT_TEXTS
from domain import access, catalogue, members, program, purchases, rewards, tiers
from domain.access import CallerKind, RegisterAccount, StaffRole
from domain.catalogue import CatalogueItem, Theme
from domain.ledger import AfterMonths, Never
from domain.purchases import EarningRule
from domain.rewards import CouponOff, CouponTerms, CouponValue, RewardDefinition
from domain.tiers import LevelDefinition, PerkDefinition

SHOP_CODE: Final = "demo-shop"
STAFF_LOGIN: Final = "demo-staff"

ACCOUNTS: Final = (
    RegisterAccount(
        kind=CallerKind.SHOP,
        code=SHOP_CODE,
        name="演示门店",
        grants=frozenset({"purchases:write", "points:hold", "coupons:use"}),
    ),
    RegisterAccount(
        kind=CallerKind.STAFF, code=STAFF_LOGIN, name="演示客服", grants=frozenset(StaffRole)
    ),
)


def _id(name: str) -> UUID:
    """An id that is the same in every demo."""
    return uuid5(NAMESPACE_URL, f"https://jifen.example/demo/{name}")


LEVELS: Final = tuple(
    LevelDefinition(code=code, rank=rank, name_zh=zh, name_en=en, threshold=threshold)
    for rank, (code, zh, en, threshold) in enumerate(
        [
            ("bronze", "青铜会员", "Bronze", 0),
            ("silver", "白银会员", "Silver", 1_000),
            ("gold", "黄金会员", "Gold", 3_000),
            ("platinum", "铂金会员", "Platinum", 8_000),
            ("diamond", "钻石会员", "Diamond", 20_000),
        ]
    )
)

# The code, the kind, both names, the value at each level that has it, the quota and its period.
_PERKS: Final[list[tuple[str, str, str, str, dict[str, str], int | None, str | None]]] = [
    (
        "discount",
        "DISCOUNT",
        "会员折扣",
        "Member discount",
        {"silver": "0.98", "gold": "0.95", "platinum": "0.92", "diamond": "0.88"},
        None,
        None,
    ),
    (
        "more-points",
        "EARNING_MULTIPLIER",
        "积分加速",
        "More points",
        {"silver": "1.1", "gold": "1.2", "platinum": "1.5", "diamond": "2"},
        None,
        None,
    ),
    (
        "free-shipping",
        "FREE_SHIPPING",
        "包邮",
        "Free shipping",
        {"bronze": "99", "silver": "59", "gold": "0", "platinum": "0", "diamond": "0"},
        4,
        "MONTH",
    ),
    (
        "birthday",
        "BIRTHDAY_GIFT",
        "生日礼",
        "Birthday gift",
        {
            "silver": "cake-coupon",
            "gold": "gift-box",
            "platinum": "gift-box",
            "diamond": "gift-box",
        },
        1,
        "BIRTHDAY",
    ),
    (
        "service",
        "SERVICE_LEVEL",
        "优先客服",
        "Priority service",
        {"gold": "PRIORITY", "platinum": "PRIORITY", "diamond": "VIP"},
        None,
        None,
    ),
    (
        "agent",
        "DEDICATED_AGENT",
        "专属顾问",
        "A dedicated agent",
        {"platinum": "", "diamond": ""},
        None,
        None,
    ),
    (
        "events",
        "EVENT_ACCESS",
        "会员活动",
        "Member events",
        {"diamond": "all"},
        2,
        "YEAR",
    ),
]

PERKS: Final = tuple(
    PerkDefinition(
        id=_id(f"perk/{level}/{code}"),
        level_code=level,
        code=code,
        position=position,
        kind=kind,
        value=value,
        title_zh=zh,
        title_en=en,
        description_zh=f"{zh}：{value}" if value else zh,
        description_en=f"{en}: {value}" if value else en,
        quota=quota,
        period=period,
    )
    for position, (code, kind, zh, en, values, quota, period) in enumerate(_PERKS)
    for level, value in values.items()
)

THEMES: Final = {
    code: Theme(code=code, name_zh=zh, name_en=en)
    for code, zh, en in [
        ("tea", "茶饮", "Tea"),
        ("coffee", "咖啡", "Coffee"),
        ("bakery", "烘焙", "Bakery"),
        ("skincare", "护肤", "Skin care"),
        ("home", "家居", "Home"),
        ("outdoor", "户外", "Outdoor"),
    ]
}

# The theme, the title, the price in yuan.
_PRODUCTS: Final = [
    ("tea", "西湖龙井 100g", 168),
    ("tea", "白毫银针 50g", 228),
    ("tea", "茉莉花茶 200g", 78),
    ("tea", "陈年普洱 357g", 298),
    ("tea", "冷泡乌龙 12 包", 59),
    ("coffee", "耶加雪菲 250g", 98),
    ("coffee", "云南小粒 500g", 86),
    ("coffee", "挂耳拼配 20 包", 69),
    ("coffee", "手冲壶", 239),
    ("bakery", "黄油可颂 4 只", 42),
    ("bakery", "桂花米糕", 36),
    ("bakery", "全麦吐司", 22),
    ("bakery", "手工月饼礼盒", 198),
    ("skincare", "茶多酚面霜 50ml", 189),
    ("skincare", "玫瑰纯露 120ml", 79),
    ("skincare", "防晒乳 SPF50", 129),
    ("skincare", "护手霜三支装", 66),
    ("home", "青瓷茶杯", 88),
    ("home", "竹制茶盘", 168),
    ("home", "亚麻餐巾 4 条", 72),
    ("home", "香薰蜡烛", 99),
    ("outdoor", "便携茶具", 219),
    ("outdoor", "保温杯 500ml", 139),
    ("outdoor", "野餐垫", 119),
]

PRODUCTS: Final = tuple(
    CatalogueItem(
        code=f"{theme}-{number:02}",
        title=title,
        theme=THEMES[theme],
        image_url=f"https://img.jifen.example/products/{theme}-{number:02}.png",
        price_fen=yuan * 100,
    )
    for number, (theme, title, yuan) in enumerate(_PRODUCTS, 1)
)

STANDARD_RULE: Final = EarningRule(
    code="standard",
    version=1,
    permille_per_yuan=1_000,
    themes={"tea": 1_500},
    expiry=AfterMonths(12),
)
LIFETIME_RULE: Final = EarningRule(
    code="lifetime", version=1, permille_per_yuan=1_000, expiry=Never()
)

COUPONS: Final = {
    f"coupon-{yuan}": CouponTerms(
        value=CouponValue(off=CouponOff.AMOUNT, value=yuan * 100, amount_min_fen=least * 100),
        days=60,
        terms_zh=f"满 {least} 元可用，每单限用一张",
        terms_en=f"From {least} yuan, one for each order",
    )
    for yuan, least in [(10, 50), (50, 200)]
}
VOUCHER: Final = CouponTerms(
    days=60, terms_zh="到店出示券码", terms_en="Show the code where it is due"
)

_GIVEN: Final = {"tea-cup": "home-18", "tea-set": "outdoor-22"}
"""The products of the catalogue that rewards give."""

REWARDS: Final = tuple(
    RewardDefinition(
        id=_id(f"reward/{code}"),
        code=code,
        title_zh=zh,
        title_en=en,
        description_zh=f"兑换：{zh}",
        description_en=f"Redeem for: {en}",
        kind=kind,
        points_price=price,
        stock=stock,
        level_required=level,
        image_url=f"https://img.jifen.example/rewards/{code}.png",
        coupon=COUPONS.get(code, VOUCHER),
        product_code=_GIVEN.get(code),
    )
    for code, zh, en, kind, price, stock, level in [
        ("coupon-10", "10 元优惠券", "10 yuan off", "COUPON", 300, None, None),
        ("coupon-50", "50 元优惠券", "50 yuan off", "COUPON", 1_200, None, None),
        ("tea-cup", "青瓷茶杯", "Celadon cup", "GIFT", 2_000, 50, None),
        ("tea-set", "便携茶具", "Travel tea set", "GIFT", 4_500, 20, "silver"),
        ("tasting", "品鉴会名额", "A seat at the tasting", "PERK", 3_000, 12, "gold"),
        ("lucky-draw", "幸运抽奖一次", "One lucky draw", "PARTNER_PRIZE", 100, None, None),
    ]
)


async def set_up_programme(*, now: datetime) -> None:
    """Make what the programme is; what exists already stays."""
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
    await rewards.define_rewards(REWARDS, now=now)
    await catalogue.upsert_products(PRODUCTS, now=now)
    await members.publish_consent_texts(CONSENT_TEXTS, now=now)
    for rule in (STANDARD_RULE, LIFETIME_RULE):
        await purchases.publish_rule(rule, now=now)
    await _register_callers(now=now)


async def _register_callers(*, now: datetime) -> None:
    by = operator()
    for account in ACCOUNTS:
        await access.register_account(account, by=by, now=now)
