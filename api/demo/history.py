"""The history of the demo's members: sign-ins, profiles, purchases, redemptions.

Everything goes through the real writers, sign-in through the fake WeChat included. It is the same
in every demo of one day; dates are counted back from today. Each step can be run again: what exists
already stays.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import httpx

from api.cli.operators import operator
from api.demo.programme import PRODUCTS, REWARDS, SHOP_CODE, THEMES
from domain import catalogue, members, purchases, rewards
from domain.access import AccessTokens
from domain.errors import InsufficientPoints, LevelTooLow, OutOfStock
from domain.members import (
    ById,
    ServiceContact,
    SetConsent,
    SignInWithWeChat,
    UpdateProfile,
)
from domain.purchases import Order, OrderLine, RecordPurchases
from domain.rewards import RedeemReward
from domain.wechat import WeChatClient

MEMBERS: Final = 200
_SEED: Final = 20_261_122
_AT_ONCE: Final = 8
_ORDERS_PER_BATCH: Final = 100

_SURNAMES: Final = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN: Final = "子涵|雨桐|浩然|欣怡|梓萱|宇轩|诗琪|俊杰|思远|若曦|明轩|嘉怡|晓彤|天佑|静怡|志强"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What the history is made with."""

    app_id: str
    fake_wechat_url: str
    wechat: WeChatClient
    tokens: AccessTokens
    now: datetime


async def make_history(demo: Demo) -> list[UUID]:
    """Let the demo's members join and live; returns their ids, the first is the demo's hero."""
    member_ids = await _join(demo)
    await _describe(demo, member_ids)
    await _serve(demo, member_ids[0])
    await _buy(demo, member_ids)
    await _redeem(demo, member_ids)
    return member_ids


async def _join(demo: Demo) -> list[UUID]:
    """Sign every member in with a code of the fake WeChat."""
    gate = asyncio.Semaphore(_AT_ONCE)
    async with httpx.AsyncClient(base_url=demo.fake_wechat_url, trust_env=False) as phone:

        async def join(number: int) -> UUID:
            async with gate:
                answer = await phone.post(
                    "/_fake/login",
                    json={
                        "appId": demo.app_id,
                        "openid": f"demo-openid-{number:04}",
                        "unionid": f"demo-unionid-{number:04}",
                    },
                )
                answer.raise_for_status()
                signed_in = await members.sign_in_with_wechat(
                    SignInWithWeChat(app_id=demo.app_id, code=answer.json()["code"]),
                    wechat=demo.wechat,
                    tokens=demo.tokens,
                    now=demo.now,
                )
                return signed_in.member.id

        return list(await asyncio.gather(*(join(number) for number in range(1, MEMBERS + 1))))


async def _describe(demo: Demo, member_ids: Sequence[UUID]) -> None:
    """Names, pictures and interests, for most members."""
    dice = random.Random(_SEED)  # noqa: S311 - a demo, the same every time
    given_names = _GIVEN.split("|")
    for number, member_id in enumerate(member_ids, 1):
        name = dice.choice(_SURNAMES) + dice.choice(given_names)
        themes = dice.sample(sorted(THEMES), dice.randint(0, 3))
        await members.update_profile(
            UpdateProfile(
                member_id=member_id,
                nickname=name,
                avatar_url=f"https://img.jifen.example/avatars/{number:03}.png",
            ),
            now=demo.now,
        )
        if themes:
            await catalogue.declare_interests(
                catalogue.DeclareInterests(member_id=member_id, themes=themes), now=demo.now
            )


async def _serve(demo: Demo, hero: UUID) -> None:
    """The first member agrees to what the demo asks for, and has somebody to turn to."""
    for text in await members.consent_texts():
        if text.purpose != members.ANY_PARTNER:
            said = SetConsent(
                member_id=hero, purpose=text.purpose, granted=True, version=text.version
            )
            await members.set_consent(said, now=demo.now)
    contacts = [
        ServiceContact(name="陈静", role="专属顾问", channel="wecom"),
        ServiceContact(name="王芳", role="售后", channel="phone"),
    ]
    await members.set_service_contacts(ById(hero), contacts, by=operator(), now=demo.now)


async def _buy(demo: Demo, member_ids: Sequence[UUID]) -> None:
    orders = sorted(_orders(member_ids, now=demo.now), key=lambda order: order.placed_at)
    for start in range(0, len(orders), _ORDERS_PER_BATCH):
        await purchases.record_purchases(
            RecordPurchases(
                source=SHOP_CODE,
                batch_id=f"demo-{demo.now.date()}-{start}",
                orders=orders[start : start + _ORDERS_PER_BATCH],
            ),
            now=demo.now,
        )


def _orders(member_ids: Sequence[UUID], *, now: datetime) -> Iterator[Order]:
    """Orders over fourteen months: the first member buys most, the others ever less."""
    dice = random.Random(_SEED)  # noqa: S311 - a demo, the same every time
    today = now.replace(hour=2, minute=0, second=0, microsecond=0)
    for number, member_id in enumerate(member_ids, 1):
        orders = 36 if number == 1 else max(1, round(dice.paretovariate(1.3) * 3) % 40)
        for nth in range(orders):
            lines = [_line(dice, line) for line in range(1, dice.randint(1, 4) + 1)]
            total = sum(line.amount_fen for line in lines)
            discount = dice.choice([0, 0, 0, 500, 1_000])
            yield Order(
                external_id=f"D{number:04}-{nth:03}",
                member=ById(member_id),
                placed_at=today
                - timedelta(days=dice.randint(1, 420), minutes=dice.randint(0, 600)),
                paid_fen=max(total - discount, 0),
                channel=dice.choice(["mini-program", "shop", "app"]),
                shop=dice.choice(["静安店", "徐汇店", "线上商城"]),
                lines=lines,
            )


def _line(dice: random.Random, line: int) -> OrderLine:
    product = dice.choice(PRODUCTS)
    quantity = dice.choice([1, 1, 1, 2, 3])
    return OrderLine(
        line_id=str(line),
        product_code=product.code,
        quantity=quantity,
        amount_fen=(product.price_fen or 0) * quantity,
    )


async def _redeem(demo: Demo, member_ids: Sequence[UUID]) -> None:
    """Some members spend now; those who cannot afford it, or may not yet, are refused, as in life.

    A key for each: however often this is run, a redemption is one.
    """
    for number, member_id in enumerate(member_ids, 1):
        if number % 4 != 1:
            continue
        reward = REWARDS[number % len(REWARDS)]
        command = RedeemReward(
            member_id=member_id, reward_id=reward.id, idempotency_key=f"demo-{number:04}"
        )
        with suppress(InsufficientPoints, LevelTooLow, OutOfStock):
            await rewards.redeem_reward(command, now=demo.now)
