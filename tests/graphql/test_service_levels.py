"""Staff defines when service is there and what it promises; what is refused changes nothing."""

from __future__ import annotations

from typing import Any, Final

from domain.access import StaffRole
from tests.graphql.gateway import NOW, Gateway
from tests.graphql.kept import everything_kept
from tests.graphql.programme import CLERK
from tests.graphql.redeeming import answer

CALENDAR: Final = "version timeZone week { day hours } exceptions { date hours }"
LEVELS: Final = """version promises { kind topic level answerMinutes resolveMinutes answerPoints
    resolvePoints priority }"""
ERRORS: Final = "userErrors { code field ... on DefinitionChanged { version } }"
DEFINE_CALENDAR: Final = f"""mutation($input: DefineServiceCalendarInput!) {{
    defineServiceCalendar(input: $input) {{ calendar {{ {CALENDAR} }} {ERRORS} }} }}"""
DEFINE_LEVELS: Final = f"""mutation($input: DefineServiceLevelsInput!) {{
    defineServiceLevels(input: $input) {{ levels {{ {LEVELS} }} {ERRORS} }} }}"""

DAYS: Final = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
OPEN: Final = ["09:00-12:00", "13:00-18:00"]
SHOP: Final = {
    "timeZone": "Europe/Berlin",
    "week": [{"day": day, "hours": OPEN} for day in DAYS[:5]],
    "exceptions": [
        {"date": "2026-12-27", "hours": ["10:00-24:00"]},
        {"date": "2026-12-25", "hours": []},
    ],
}
COMPLAINT: Final = {
    "kind": "COMPLAINT",
    "level": "gold",
    "answerMinutes": 60,
    "resolveMinutes": 480,
    "answerPoints": 50,
    "priority": 4,
}


async def acts(gateway: Gateway, document: str, **given: Any) -> dict[str, Any]:
    return await answer(gateway, document, await gateway.staff(), input=given)


async def terms(gateway: Gateway, fields: str, *roles: StaffRole) -> Any:
    token = await gateway.token_of(CLERK, *roles)
    document = f"{{ staff {{ serviceTerms {{ {fields} }} }} }}"
    return (await answer(gateway, document, token))["serviceTerms"]


async def test_the_calendar_is_defined_read_and_refused(own_gateway: Gateway) -> None:
    gateway = own_gateway
    always = await terms(gateway, f"calendar {{ {CALENDAR} }}", StaffRole.SUPPORT)
    assert always["calendar"] == {
        "version": 0,
        "timeZone": "UTC",
        "week": [{"day": day, "hours": ["00:00-24:00"]} for day in DAYS],
        "exceptions": [],
    }
    made = await acts(gateway, DEFINE_CALENDAR, version=0, **SHOP)
    shown = {
        "version": 1,
        "timeZone": "Europe/Berlin",
        "week": [{"day": day, "hours": OPEN if day in DAYS[:5] else []} for day in DAYS],
        "exceptions": [
            {"date": "2026-12-25", "hours": []},
            {"date": "2026-12-27", "hours": ["10:00-24:00"]},
        ],
    }
    assert made == {"calendar": shown, "userErrors": []}
    assert await acts(gateway, DEFINE_CALENDAR, **SHOP | {"version": 1}) == made
    before = await everything_kept()
    monday = {"day": "MONDAY", "hours": OPEN}
    for given, field in (
        ({"version": 0}, ["version"]),
        ({"timeZone": "Middle/Earth"}, ["timeZone"]),
        ({"week": [monday, monday]}, ["week"]),
        ({"week": [monday, {"day": "FRIDAY", "hours": ["9-18"]}]}, ["week", "1", "hours"]),
        ({"week": [{"day": "FRIDAY", "hours": ["09:00-18:00"]}]}, ["week"]),
        ({"exceptions": [{"date": "2026-12-25", "hours": []}] * 2}, ["exceptions"]),
        (
            {"exceptions": [{"date": "2026-12-25", "hours": ["18:00-09:00"]}]},
            ["exceptions", "0"],
        ),
    ):
        refused = await acts(gateway, DEFINE_CALENDAR, **SHOP | {"version": 1} | given)
        assert [one["field"] for one in refused["userErrors"]] == [field], given
        assert refused["calendar"] is None
    assert await everything_kept() == before
    history = await terms(
        gateway,
        "calendarHistory { nodes { definedAt calendar { version } } pageInfo { hasNextPage } }",
        StaffRole.MARKETING,
    )
    assert history["calendarHistory"] == {
        "nodes": [
            {"definedAt": NOW.isoformat().replace("+00:00", "Z"), "calendar": {"version": 1}}
        ],
        "pageInfo": {"hasNextPage": False},
    }


async def test_promises_are_defined_read_and_refused(own_gateway: Gateway) -> None:
    gateway = own_gateway
    nothing = await terms(gateway, f"levels {{ {LEVELS} }}", StaffRole.ADMIN)
    assert nothing == {"levels": {"version": 0, "promises": []}}
    made = await acts(
        gateway, DEFINE_LEVELS, version=0, promises=[COMPLAINT, {"resolveMinutes": 2_700}]
    )
    unsaid = {
        "kind": None,
        "topic": None,
        "level": None,
        "answerMinutes": None,
        "resolveMinutes": None,
        "answerPoints": 0,
        "resolvePoints": 0,
        "priority": None,
    }
    shown = [unsaid | COMPLAINT, unsaid | {"resolveMinutes": 2_700}]
    assert made == {"levels": {"version": 1, "promises": shown}, "userErrors": []}
    before = await everything_kept()
    for promises, version, error in (
        ([], 0, {"code": "DEFINITION_CHANGED", "field": ["version"], "version": 1}),
        ([{"level": "tin"}], 1, {"code": "INVALID_INPUT", "field": ["promises", "0", "level"]}),
        (
            [{}, {"level": "gold", "answerMinutes": 43_201}],
            1,
            {"code": "INVALID_INPUT", "field": ["promises", "1", "answerMinutes"]},
        ),
    ):
        refused = await acts(gateway, DEFINE_LEVELS, version=version, promises=promises)
        assert refused == {"levels": None, "userErrors": [error]}
    assert await everything_kept() == before
    second = await acts(gateway, DEFINE_LEVELS, version=1, promises=[])
    assert second["levels"] == {"version": 2, "promises": []}
    fields = "levelsHistory(first: 1) { nodes { levels { version } } pageInfo { hasNextPage } }"
    history = await terms(gateway, fields, StaffRole.SUPPORT)
    assert history["levelsHistory"] == {
        "nodes": [{"levels": {"version": 2}}],
        "pageInfo": {"hasNextPage": True},
    }
    log = await answer(
        gateway,
        '{ staff { auditLog(of: {kind: "service_levels", id: "1"}) { nodes { action actor } } } }',
        await gateway.staff(),
    )
    assert log["auditLog"]["nodes"] == [
        {"action": "service_levels.define", "actor": f"staff:{CLERK}"}
    ]
