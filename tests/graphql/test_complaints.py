"""Complaints counted at the gateway: exact figures, who may see them, what is refused."""

from __future__ import annotations

from typing import Any, Final

import orjson

from domain import custody
from domain.access import StaffRole
from domain.audit import entries
from domain.paging import PageRequest
from tests.graphql.desk import do, open_desk, submitted
from tests.graphql.gateway import Gateway
from tests.graphql.orders import applied, order, record
from tests.graphql.programme import CLERK
from tests.graphql.redeeming import answer

MARCH: Final = {"from": "2026-02-28", "to": "2026-03-03"}
FIGURES: Final = """tickets unresolved reopened answered answersInTime answersMissed
    answersInTimeShare answerMinutesMean answerMinutesMedian resolved resolutionsInTime
    resolutionsMissed resolutionsInTimeShare resolveMinutesMean resolveMinutesMedian
    experienceMean experienceCounts expectationMean expectationCounts"""
NOTHING: Final = {
    "tickets": 0,
    "unresolved": 0,
    "reopened": 0,
    "answered": 0,
    "answersInTime": 0,
    "answersMissed": 0,
    "answersInTimeShare": None,
    "answerMinutesMean": None,
    "answerMinutesMedian": None,
    "resolved": 0,
    "resolutionsInTime": 0,
    "resolutionsMissed": 0,
    "resolutionsInTimeShare": None,
    "resolveMinutesMean": None,
    "resolveMinutesMedian": None,
    "experienceMean": None,
    "experienceCounts": [0, 0, 0, 0, 0],
    "expectationMean": None,
    "expectationCounts": [0, 0, 0, 0, 0],
}
BUSY: Final = {
    "tickets": 2,
    "unresolved": 1,
    "reopened": 0,
    "answered": 2,
    "answersInTime": 1,
    "answersMissed": 1,
    "answersInTimeShare": 0.5,
    "answerMinutesMean": 50.5,
    "answerMinutesMedian": 50.5,
    "resolved": 1,
    "resolutionsInTime": 1,
    "resolutionsMissed": 0,
    "resolutionsInTimeShare": 1.0,
    "resolveMinutesMean": 40.0,
    "resolveMinutesMedian": 40.0,
    "experienceMean": 4.0,
    "experienceCounts": [0, 0, 0, 1, 0],
    "expectationMean": 5.0,
    "expectationCounts": [0, 0, 0, 0, 1],
}


def document(what: str, arguments: str = "") -> str:
    return f"""query($from: Date!, $to: Date!) {{ staff {{
        complaints(from: $from, to: $to{arguments}) {{ {what} }} }} }}"""


async def counted(gateway: Gateway, what: str, arguments: str = "", *roles: StaffRole) -> Any:
    token = await gateway.token_of(CLERK, *roles)
    return (await answer(gateway, document(what, arguments), token, **MARCH))["complaints"]


async def two_days(gateway: Gateway) -> tuple[Any, Any]:
    """A complaint about an order, done within 40 minutes, and a day later one answered late.

    A question besides, which is no complaint.
    """
    await open_desk()
    alice = await gateway.sign_in()
    applied(await record(gateway, "b", [order("o-1", alice.member_id, shop="静安店")]))
    [bought] = (await gateway.send("Purchases", alice.access_token))["purchases"]["nodes"]
    first = await submitted(gateway, alice, "first", orderId=bought["id"])
    await submitted(gateway, alice, "asked", kind="QUESTION")
    gateway.clock.advance(minutes=40)
    await do(gateway, "ResolveTicket", first["id"], key="r", causeCode="late", text="对不起")
    rating = {"ticketId": first["id"], "experience": 4, "expectation": 5}
    alice = await gateway.sign_in()
    await gateway.send("RateTicket", alice.access_token, input=rating)
    gateway.clock.advance(days=1)
    bob = await gateway.sign_in("o-bob")
    second = await submitted(gateway, bob, "second", topic="points")
    gateway.clock.advance(minutes=61)
    await do(gateway, "AnswerTicket", second["id"], key="a", text="我们在找。")
    return first, second


async def test_figures_in_all_and_told_apart(own_gateway: Gateway) -> None:
    gateway = own_gateway
    await two_days(gateway)
    whole = await counted(gateway, f"figures {{ {FIGURES} }}")
    assert whole == {"figures": BUSY}
    everything = f"""shops: groups(by: SHOP) {{ code name figures {{ tickets }} }}
        topics: groups(by: TOPIC) {{ code name figures {{ tickets answersMissed }} }}
        causes: groups(by: CAUSE) {{ code name figures {{ tickets }} }}
        levels: groups(by: LEVEL, first: 1) {{ code figures {{ tickets }} }}
        byPerson {{ person {{ login name }} figures {{ tickets resolved answersMissed }} }}
        trend(step: DAY) {{ first last figures {{ {FIGURES} }} }}"""
    found = await counted(gateway, everything)
    people, trend = found.pop("byPerson"), found.pop("trend")
    assert found == {
        "shops": [
            {"code": "静安店", "name": None, "figures": {"tickets": 1}},
            {"code": None, "name": None, "figures": {"tickets": 1}},
        ],
        "topics": [
            {
                "code": "delivery",
                "name": "delivery：主题",
                "figures": {"tickets": 1, "answersMissed": 0},
            },
            {
                "code": "points",
                "name": "points：主题",
                "figures": {"tickets": 1, "answersMissed": 1},
            },
        ],
        "causes": [
            {"code": "late", "name": "晚到", "figures": {"tickets": 1}},
            {"code": None, "name": None, "figures": {"tickets": 1}},
        ],
        "levels": [{"code": "bronze", "figures": {"tickets": 2}}],
    }
    assert [(one["person"]["login"], one["figures"]) for one in people] == [
        (CLERK, {"tickets": 2, "resolved": 1, "answersMissed": 1})
    ]
    days = ["2026-02-28", "2026-03-01", "2026-03-02", "2026-03-03"]
    assert [(one["first"], one["last"]) for one in trend] == [(day, day) for day in days]
    assert [one["figures"]["tickets"] for one in trend] == [0, 1, 1, 0]
    assert trend[0]["figures"] == trend[3]["figures"] == NOTHING
    months = await counted(gateway, "trend(step: MONTH) { first last figures { tickets } }")
    assert months["trend"] == [
        {"first": "2026-02-28", "last": "2026-02-28", "figures": {"tickets": 0}},
        {"first": "2026-03-01", "last": "2026-03-03", "figures": {"tickets": 2}},
    ]


async def test_what_is_counted_is_narrowed_and_its_tickets_are_shown(own_gateway: Gateway) -> None:
    gateway = own_gateway
    first, second = await two_days(gateway)

    async def shown(arguments: str, of: str = "") -> list[str]:
        found = await counted(
            gateway, f"figures {{ tickets }} tickets{of} {{ nodes {{ number }} }}", arguments
        )
        numbers = [one["number"] for one in found["tickets"]["nodes"]]
        if not of:
            assert found["figures"]["tickets"] == len(numbers)
        return numbers

    one, two = first["number"], second["number"]
    assert await shown("") == [one, two]
    assert await shown(', shop: "静安店"') == await shown(', cause: "late"') == [one]
    assert await shown(', topic: "points"') == [two]
    assert await shown(', level: "bronze"') == [one, two]
    assert await shown(', level: "gold"') == await shown(', shop: "nowhere"') == []
    assert len(await shown(", kinds: [QUESTION, QUESTION]")) == 1
    assert await shown(", kinds: []") == []
    assert await shown("", f'(assignee: "{CLERK}")') == [one, two]
    assert await shown("", '(assignee: "nobody")') == []
    page = "tickets(first: 1%s) { nodes { number } pageInfo { hasNextPage endCursor } }"
    begun = (await counted(gateway, page % ""))["tickets"]
    assert begun["nodes"] == [{"number": one}]
    after = f', after: "{begun["pageInfo"]["endCursor"]}"'
    rest = (await counted(gateway, page % after))["tickets"]
    assert (rest["nodes"], rest["pageInfo"]["hasNextPage"]) == ([{"number": two}], False)
    await each_look_is_in_the_log(gateway, first)


async def test_who_was_erased_still_counts(own_gateway: Gateway) -> None:
    gateway = own_gateway
    await two_days(gateway)
    what = f"figures {{ {FIGURES} }} groups(by: SHOP) {{ code figures {{ {FIGURES} }} }}"
    before = await counted(gateway, what)
    alice = await gateway.sign_in()
    await custody.erase(
        alice.member, journal=gateway.erasures, files=gateway.files, now=gateway.clock.now()
    )
    assert await counted(gateway, what) == before
    told = await counted(gateway, "tickets { nodes { member { nickname } satisfaction { text } } }")
    assert [one["member"] for one in told["tickets"]["nodes"]] == [None, {"nickname": ""}]


async def test_roles_and_bounds(own_gateway: Gateway) -> None:
    await numbers_are_for_more_roles_than_persons_are(own_gateway)
    await periods_are_bounded(own_gateway)
    await trends_have_so_many_buckets(own_gateway)


async def numbers_are_for_more_roles_than_persons_are(gateway: Gateway) -> None:
    async def asked(what: str, *roles: StaffRole) -> Any:
        token = await gateway.token_of(CLERK, *roles)
        return (await gateway.ask(document(what), MARCH, token=token)).json()

    numbers = "figures { tickets } groups(by: SHOP) { code } trend(step: WEEK) { first }"
    for role in (StaffRole.SUPPORT, StaffRole.MARKETING, StaffRole.ADMIN):
        assert "errors" not in await asked(numbers, role)
    for what in ("byPerson { figures { tickets } }", "tickets { nodes { number } }"):
        assert "errors" not in await asked(what, StaffRole.SUPPORT)
        for role in (StaffRole.MARKETING, StaffRole.ADMIN, StaffRole.FINANCE, StaffRole.AUDITOR):
            refused = await asked(what, role)
            assert [one["extensions"]["code"] for one in refused["errors"]] == ["FORBIDDEN"]
    for role in (StaffRole.FINANCE, StaffRole.AUDITOR):
        refused = await asked(numbers, role)
        assert {one["extensions"]["code"] for one in refused["errors"]} == {"FORBIDDEN"}


BAD_PERIODS: Final = (
    ("2026-03-02", "2026-03-01", "to", "`to` must be 1 to 366 days from `from`."),
    ("2025-03-01", "2026-03-02", "to", "`to` must be 1 to 366 days from `from`."),
    ("1999-12-31", "2000-01-01", "from", "`from` must be 2000-01-01 to 2999-12-31."),
    ("2999-12-31", "3000-01-01", "to", "`to` must be 2000-01-01 to 2999-12-31."),
    ("0001-01-01", "9999-12-31", "from", "`from` must be 2000-01-01 to 2999-12-31."),
)


async def periods_are_bounded(gateway: Gateway) -> None:
    before = await entries(PageRequest(first=1))
    token = await gateway.staff()
    asked = document("figures { tickets }")
    for first, last, argument, message in BAD_PERIODS:
        body = (await gateway.ask(asked, {"from": first, "to": last}, token=token)).json()
        assert body["data"] == {"staff": {"complaints": None}}
        [error] = body["errors"]
        assert error["message"] == message
        told = error["extensions"]
        assert (told["code"], told["argument"]) == ("BAD_USER_INPUT", argument)
    assert (await entries(PageRequest(first=1))).items == before.items


async def trends_have_so_many_buckets(gateway: Gateway) -> None:
    token = await gateway.staff()

    async def trend(step: str, last: str) -> Any:
        asked = document(f"trend(step: {step}) {{ first figures {{ tickets }} }}")
        days = {"from": "2026-01-01", "to": last}
        return (await gateway.ask(asked, days, token=token)).json()

    refused = await trend("DAY", "2026-04-03")
    [error] = refused["errors"]
    told = error["extensions"]
    assert (told["code"], told["argument"]) == ("BAD_USER_INPUT", "step")
    for step, last, count in (
        ("DAY", "2026-04-02", 92),
        ("WEEK", "2027-01-01", 53),
        ("MONTH", "2027-01-01", 13),
    ):
        buckets = (await trend(step, last))["data"]["staff"]["complaints"]["trend"]
        assert len(buckets) == count
        assert {one["figures"]["tickets"] for one in buckets} == {0}


async def each_look_is_in_the_log(gateway: Gateway, first: Any) -> None:
    await counted(gateway, "figures { tickets } tickets { nodes { id } }", ', shop: "静安店"')
    log = (await entries(PageRequest(first=2))).items
    common = {
        "from": "2026-02-28",
        "to": "2026-03-03",
        "kinds": ["COMPLAINT", "LOSS"],
        "shop": "静安店",
    }
    assert [(one.action, orjson.loads(one.after or "null")) for one in log] == [
        ("tickets.read", {**common, "tickets": [first["number"]]}),
        ("complaints.read", common),
    ]
