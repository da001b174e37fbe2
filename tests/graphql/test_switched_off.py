"""Who switched personal recommendations off, or never switched them on, is shown what all are.

Two histories are lived by two members each, crosswise: whoever of them does not agree gets, byte
for byte, the answers of the others, from every surface and shelf, in both languages.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import pytest

from domain import catalogue, members, recommendations, rewards, storage, tiers
from domain.audit import Actor
from domain.catalogue import CatalogueItem
from domain.recommendations import SetNotInterested, serving, serving_statement
from domain.storage import dialect, fetch_all
from tests.graphql import conftest
from tests.graphql.gateway import NOW, Gateway, Session
from tests.graphql.programme import GEMS, HOME, TEA
from tests.graphql.tasting import (
    QUERY,
    SHELVES,
    SURFACES,
    a_crowd,
    buys,
    product_id,
    trained,
)
from tests.graphql.test_recommended_to_whom import gives
from tests.graphql.test_set_consent import say
from tests.graphql.test_track_behavior import event, track

gateway = conftest.own_gateway

CODES: Final = ("tea", "cup", "bag", "pot", "tin", "silk", "ring", "rare")
SIGNALS: Final = ("behavior_event", "not_interested", "recommendation_due", "recommendation_list")
"""What is kept to choose by, of those alone who agree."""


@dataclass(frozen=True, slots=True)
class History:
    """What somebody buys, looks at, declares, does not want, and the level that they have."""

    baskets: tuple[str, ...]
    themes: tuple[str, ...]
    seen: str
    unwanted: str
    level: str | None


def two_histories(seed: int) -> tuple[History, History]:
    """Two that differ in everything."""
    chance = random.Random(seed)
    codes = chance.sample(CODES[:7], 7)
    first, second = codes[:3], codes[3:6]
    return (
        History(
            baskets=(first[0], " ".join(first)),
            themes=("tea", "gems"),
            seen=first[1],
            unwanted=second[0],
            level="gold",
        ),
        History(
            baskets=(second[0], second[0], " ".join(second)),
            themes=("home",),
            seen=second[1],
            unwanted=first[0],
            level=None,
        ),
    )


async def live(gateway: Gateway, member: Session, history: History) -> None:
    """Let a member live a history, with everything that agreeing allows to be kept of it."""
    now = gateway.clock.now()
    for purpose in ("personalization", "behavior_tracking"):
        await say(gateway, member, purpose, granted=True)
    await buys(gateway, member, *history.baskets)
    token = member.access_token
    await gateway.send("SetInterests", token, input={"themes": [*history.themes]})
    seen = await product_id(history.seen)
    await track(gateway, member, *(event(n, productId=seen) for n in range(1, 4)))
    [unwanted] = (await catalogue.products_by_code([history.unwanted])).values()
    await recommendations.set_not_interested(
        SetNotInterested(member_id=member.member, product_id=unwanted.id, not_interested=True),
        now=now,
    )
    if history.level is not None:
        by = Actor(name="staff:clerk", account_id=uuid4(), request_id="level")
        grant = tiers.GrantLevel(
            member=members.ById(member.member),
            level=history.level,
            reason="kind",
            until=now + timedelta(days=9),
        )
        await tiers.grant_level(grant, by=by, now=now)


async def set_up(gateway: Gateway) -> None:
    """A crowd to learn from, and something to show on every surface."""
    await a_crowd(gateway)
    lately = NOW - timedelta(days=3)
    await catalogue.upsert_products(
        [
            CatalogueItem(code="silk", title="丝巾", theme=HOME, introduced_at=lately),
            CatalogueItem(code="ring", title="戒指", theme=GEMS),
            CatalogueItem(code="rare", title="珍品", theme=TEA, level_code="gold"),
        ],
        now=NOW,
    )
    await rewards.define_rewards([gives(code, id=uuid4()) for code in CODES], now=NOW)


async def answers(gateway: Gateway, member: Session) -> list[bytes]:
    """Everything that the member can be shown, as it comes."""
    found = []
    for surface in SURFACES:
        for shelf in SHELVES:
            for language in ("zh", "en"):
                response = await gateway.ask(
                    QUERY,
                    {"surface": surface, "shelf": shelf, "first": 40},
                    token=member.access_token,
                    language=language,
                )
                assert response.json().keys() == {"data"}, response.text
                found.append(response.content)
    return found


async def all_answers(gateway: Gateway, them: Sequence[Session]) -> list[list[bytes]]:
    return [await answers(gateway, member) for member in them]


async def withdraw(gateway: Gateway, *them: Session) -> None:
    for member in them:
        await say(gateway, member, "personalization", granted=False)


def differing(answers: Sequence[Sequence[bytes]]) -> int:
    """How many questions were not answered alike to all."""
    return sum(len(set(each)) > 1 for each in zip(*answers, strict=True))


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_depends_on_the_history_of_who_does_not_agree(
    gateway: Gateway, tally: Callable[[str, int, int], None], seed: int
) -> None:
    await set_up(gateway)
    a, b, c, d, stranger = [await gateway.sign_in(f"o-{name}") for name in "abcde"]
    one, other = two_histories(seed)
    crossed = ((a, one), (b, other), (c, other), (d, one))
    for member, history in crossed:
        await live(gateway, member, history)
    await trained(gateway)
    await recommendations.refresh_popularity(now=NOW)

    them = [a, b, c, d]
    personal = await all_answers(gateway, them)
    assert personal[0] == personal[3], "the same history, the same answers"
    assert personal[1] == personal[2]
    questions = len(personal[0])
    assert differing(personal[:2]) >= questions * 3 // 4, "or there would be nothing to hide"
    plain = await answers(gateway, stranger)
    assert all(b'"personalized":false' in each for each in plain)

    # At once, and whatever is trained and counted afterwards.
    await withdraw(gateway, *them)
    assert differing([*await all_answers(gateway, them), plain]) == 0
    for table in SIGNALS[1:]:
        assert await fetch_all(f"SELECT 1 FROM {table}") == [], table
    await trained(gateway)
    assert differing([*await all_answers(gateway, them), plain]) == 0
    # What else the member sees of themselves says nothing either that was inferred.
    for member in them:
        interests = (await gateway.send("Profile", member.access_token))["interests"]
        assert {one["source"] for one in interests} == {"DECLARED"}

    await say(gateway, a, "personalization", granted=True)
    await trained(gateway)
    again = await answers(gateway, a)
    assert differing([again, plain]) >= questions * 3 // 4, "and on again"
    tally(f"switched off: answers compared on {dialect()}, 0 differ", 9 * questions, 250)


async def test_only_who_agrees_is_looked_at(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: a statement that takes everybody for willing is found by the same look."""
    await set_up(gateway)
    a, b = await gateway.sign_in("o-a"), await gateway.sign_in("o-b")
    for member, history in zip((a, b), two_histories(0), strict=True):
        await live(gateway, member, history)
    await recommendations.refresh_popularity(now=NOW)
    await withdraw(gateway, a, b)
    assert differing(await all_answers(gateway, [a, b])) == 0
    asked = members.agreed_to(recommendations.PERSONALIZATION)
    true = serving_statement.statement

    def forgetful(*how: Any) -> str:
        sql = true(*how)
        assert asked in sql
        return sql.replace(asked, "TRUE")

    monkeypatch.setattr(serving, "statement", forgetful)
    assert differing(await all_answers(gateway, [a, b])) > 0


async def test_a_withdrawal_takes_what_was_kept_in_the_same_transaction(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(gateway)
    a, b = await gateway.sign_in("o-a"), await gateway.sign_in("o-b")
    for member, history in zip((a, b), two_histories(1), strict=True):
        await live(gateway, member, history)
    await trained(gateway)
    kept = {table: await of(a, table) for table in SIGNALS if table != "recommendation_due"}
    assert all(kept.values()), kept
    others = {table: await of(b, table) for table in SIGNALS}
    before = await answers(gateway, a)

    # Where the withdrawal fails, nothing of it holds.
    async def fail(*_: object, **__: object) -> None:
        raise storage.ConnectionLost("planted")

    with monkeypatch.context() as patched:
        patched.setattr("domain.games.heed_withdrawal", fail)
        said = {"purpose": "personalization", "granted": False, "version": "1"}
        document = "mutation($input: SetConsentInput!) { setConsent(input: $input) { __typename } }"
        response = await gateway.ask(document, {"input": said}, token=a.access_token)
        assert response.json()["errors"]
    assert await answers(gateway, a) == before

    await withdraw(gateway, a)
    assert {table: await of(a, table) for table in SIGNALS} == {
        **dict.fromkeys(SIGNALS, 0),
        "behavior_event": kept["behavior_event"],  # That is another consent.
    }
    assert {table: await of(b, table) for table in SIGNALS} == others
    await say(gateway, a, "behavior_tracking", granted=False)
    assert await of(a, "behavior_event") == 0


async def of(member: Session, table: str) -> int:
    """How many rows of a table are the member's."""
    rows = await fetch_all(f"SELECT 1 FROM {table} WHERE member_id = $1", member.member)
    return len(rows)
