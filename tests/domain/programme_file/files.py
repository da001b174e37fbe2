"""A programme with something of everything, as a file."""

from __future__ import annotations

from typing import Final

from domain import storage
from domain.programme_file import Change, Imported, import_programme
from tests.domain.ledger.commands import NOW
from tests.domain.rewards.counter import CLERK

FULL: Final = """\
# The settings of a programme: `export-programme` writes them, `import-programme` reads them.
# What is new is added, what differs is changed; what is left out stays as it is.
# The stock is for rewards that are new: of one that exists, what is left stays as it is.
jifen: 1
programme:
  name_zh: 茶语会员
  name_en: Teatalk Club
  time_zone: Asia/Tokyo
  currency: JPY
level_rules:
  window: CALENDAR_YEAR
  grace_days: 30
  notice_days: 14
levels:
  - code: bronze
    name_zh: 青铜
    name_en: Bronze
  - code: silver
    name_zh: 白银
    name_en: Silver
    threshold: 1000
    perks:
      - code: shipping
        kind: FREE_SHIPPING
        value: "59"
        title_zh: 包邮
        title_en: Free shipping
        quota: 4
        period: MONTH
      - code: cake
        kind: BIRTHDAY_GIFT
        value: cake-1
        title_zh: 蛋糕
        title_en: Cake
        quota: 1
        period: BIRTHDAY
        position: 9
        retired: true
      - code: more
        kind: EARNING_MULTIPLIER
        value: "1.25"
        title_zh: 积分加速
        title_en: "More points: a quarter"
        description_zh: "多得\\n四分之一"
        position: 9
  - code: gold
    name_zh: 黄金
    name_en: "No"
    threshold: 5000
    amount_fen: 1000000
    purchases: 20
    match: ANY
earning_rules:
  - code: lifetime
    permille_per_yuan: 1000
    expiry:
      kind: never
  - code: standard
    permille_per_yuan: 1000
    themes:
      coffee: 1200
      tea: 1500
    matures_after_days: 14
    expiry:
      kind: after_months
      months: 24
rewards:
  - code: mug
    kind: GIFT
    title_zh: 杯子
    title_en: Mug
    description_en: "A mug: 'celadon' #1"
    image_url: "https://img.jifen.example/mug.png"
    points_price: 500
    stock: 10
    level_required: silver
    begins_at: "2026-03-01T00:00:00Z"
    ends_at: "2026-04-01T00:00:00.000001Z"
    per_member: 2
  - code: ten-off
    kind: COUPON
    title_zh: 十元券
    title_en: Ten off
    points_price: 300
    coupon:
      takes_off: AMOUNT
      value: 1000
      amount_min_fen: 5000
      discount_max_fen: 1000
      days: 60
      stacks: true
      terms_zh: 满 50 元可用
feedback_topics:
  - code: delivery
    name_zh: 配送
    name_en: Delivery
  - code: shops
    name_zh: 门店
    name_en: Shops
    retired: true
feedback_causes:
  - code: carrier-late
    topic: shops
    name_zh: 承运商延误
    name_en: Carrier late
  - code: other
    name_zh: 其他
    name_en: Something else
    retired: true
notification_texts:
  - code: LEVEL_REACHED
    title_zh: "恭喜成为{level}"
    title_en: "Welcome to {level}"
    body_en: "You are {level} now."
    link: "/levels?name={level}"
  - code: ORDER_DELIVERED
    title_zh: 订单已送达
    title_en: Your parcel is there
"""


async def take_in(text: str, *, check_only: bool = False) -> list[Change]:
    """Import a file; what that changed."""
    return list((await imported(text, check_only=check_only)).changes)


async def imported(text: str, *, check_only: bool = False) -> Imported:
    """Import a file."""
    found = await import_programme(text.encode(), by=CLERK, now=NOW, check_only=check_only)
    assert not storage.inside_transaction()
    return found


def with_changes(*pairs: tuple[str, str]) -> str:
    """The file with texts of it, each of which stands there once, replaced by others."""
    text = FULL
    for before, after in pairs:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text
