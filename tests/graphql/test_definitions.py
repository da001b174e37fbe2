"""Staff reads and changes what the programme is: levels, perks, rules, settings, all as a file."""

from __future__ import annotations

from typing import Any

import pytest

from domain.access import StaffRole
from tests.graphql.gateway import NOW, Gateway
from tests.graphql.kept import everything_kept
from tests.graphql.programme import CLERK
from tests.graphql.redeeming import answer, reward_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEVEL = "code rank nameZh nameEn threshold amount purchases match version"
PERK = """id level code kind value titleZh titleEn descriptionZh descriptionEn quota period position
    version retiredAt"""
ERRORS = "userErrors { code field ... on DefinitionChanged { version } }"
RULES = "window months graceDays noticeDays version"
RULE = """code version permillePerYuan maturesAfterDays themes { theme permillePerYuan }
    expiry { kind number }"""
PROGRAMME = "nameZh nameEn timeZone currency version"


def mutation(name: str, answered: str) -> str:
    kind = name[0].upper() + name[1:]
    return f"mutation($input: {kind}Input!) {{ {name}(input: $input) {{ {answered} {ERRORS} }} }}"


DEFINE_LEVEL = mutation("defineLevel", f"level {{ {LEVEL} perks {{ code }} }}")
CHANGE_LEVEL = mutation("changeLevel", f"level {{ {LEVEL} }}")
DEFINE_PERK = mutation("definePerk", f"perk {{ {PERK} }}")
CHANGE_PERK = mutation("changePerk", f"perk {{ {PERK} }}")
RETIRE_PERK = mutation("retirePerk", f"perk {{ {PERK} }}")
SET_RULES = mutation("setLevelRules", f"levelRules {{ {RULES} }}")
PUBLISH = mutation("publishEarningRule", f"rule {{ {RULE} }}")
SET_PROGRAMME = mutation("setProgramme", f"programme {{ {PROGRAMME} }}")
IMPORT = """mutation($input: ImportProgrammeInput!) { importProgramme(input: $input) {
    changes { path before after } warnings { path line text }
    userErrors { code message ... on ProgrammeFileInvalid { problems { path line rule } } } } }"""
MUG = """jifen: 1
rewards:
  - code: mug
    kind: GIFT
    title_zh: 杯子
    title_en: Mug
    points_price: 500
    stock: {stock}
"""
GRANT = mutation("grantLevel", "grant { id level reason since until endedAt }")
END_GRANT = mutation("endLevelGrant", "grant { id level endedAt }")


async def staff(gateway: Gateway, fields: str, *roles: StaffRole) -> dict[str, Any]:
    token = await gateway.token_of(CLERK, *roles)
    return await answer(gateway, f"{{ staff {{ {fields} }} }}", token)


async def acts(gateway: Gateway, document: str, **given: Any) -> dict[str, Any]:
    return await answer(gateway, document, await gateway.staff(), input=given)


AMBER = {"code": "amber", "rank": 2, "nameZh": "琥珀", "nameEn": "Amber", "threshold": 2_000}


async def test_levels_are_defined_read_and_changed(gateway: Gateway) -> None:
    made = await acts(gateway, DEFINE_LEVEL, **AMBER)
    level = AMBER | {"amount": None, "purchases": None, "match": "ALL", "version": 1}
    assert made == {"level": level | {"perks": []}, "userErrors": []}
    assert await acts(gateway, DEFINE_LEVEL, **AMBER) == made
    found = await staff(gateway, f"levels {{ {LEVEL} perks {{ code retiredAt }} }}")
    assert [(one["code"], one["rank"], one["version"]) for one in found["levels"]] == [
        ("bronze", 0, 1),
        ("silver", 1, 1),
        ("amber", 2, 1),
        ("gold", 3, 1),
    ]
    assert found["levels"][1]["perks"] == [
        {"code": code, "retiredAt": None} for code in ("discount", "shipping", "points")
    ]
    changed = await acts(
        gateway,
        CHANGE_LEVEL,
        code="amber",
        version=1,
        amount=300_000,
        purchases=5,
        threshold=None,
        match="ANY",
    )
    assert changed["level"] == level | {
        "threshold": 0,
        "amount": 300_000,
        "purchases": 5,
        "match": "ANY",
        "version": 2,
    }
    before = await everything_kept()
    for given, error in (
        ({"version": 1, "nameZh": "x"}, {"code": "DEFINITION_CHANGED", "field": ["version"]}),
        ({"version": 2, "nameZh": None}, {"code": "INVALID_INPUT", "field": ["nameZh"]}),
        ({"version": 2, "amount": -1}, {"code": "INVALID_INPUT", "field": ["amount"]}),
        ({"version": 2, "threshold": 1}, {"code": "LEVELS_OUT_OF_ORDER", "field": ["threshold"]}),
        ({"version": 2, "code": "tin"}, {"code": "LEVEL_UNKNOWN", "field": ["code"]}),
    ):
        refused = await acts(gateway, CHANGE_LEVEL, **{"code": "amber", **given})
        [found_error] = refused["userErrors"]
        assert {name: found_error[name] for name in error} == error
        assert refused["level"] is None
    refused = await acts(gateway, DEFINE_LEVEL, **AMBER | {"nameEn": "Another"})
    assert refused["userErrors"] == [{"code": "LEVEL_EXISTS", "field": ["code"]}]
    assert await everything_kept() == before
    log = await staff(
        gateway,
        'auditLog(of: {kind: "level", id: "amber"}) { nodes { actor action before after } }',
    )
    assert [(row["actor"], row["action"]) for row in log["auditLog"]["nodes"]] == [
        (f"staff:{CLERK}", "level.change"),
        (f"staff:{CLERK}", "level.define"),
        (f"staff:{CLERK}", "level.define"),
    ]
    assert log["auditLog"]["nodes"][0]["after"] == (
        '{"amount_fen":300000,"match":"ANY","purchases":5,"threshold":0,"version":2}'
    )


async def test_perks_are_given_changed_and_retired(gateway: Gateway) -> None:
    given = {
        "level": "silver",
        "code": "events",
        "kind": "EVENT_ACCESS",
        "value": "tasting",
        "titleZh": "品鉴会",
        "titleEn": "Tastings",
        "quota": 2,
        "period": "YEAR",
        "position": 7,
    }
    made = await acts(gateway, DEFINE_PERK, **given)
    perk = made["perk"]
    assert perk == given | {
        "id": perk["id"],
        "descriptionZh": "",
        "descriptionEn": "",
        "version": 1,
        "retiredAt": None,
    }
    assert await acts(gateway, DEFINE_PERK, **given) == made
    named = {"perkId": perk["id"], "version": 1}
    changed = await acts(gateway, CHANGE_PERK, **named, quota=None, period=None)
    assert changed["perk"] == perk | {"quota": None, "period": None, "version": 2}
    late = await acts(gateway, RETIRE_PERK, **named)
    assert late["userErrors"] == [
        {"code": "DEFINITION_CHANGED", "field": ["version"], "version": 2}
    ]
    gone = await acts(gateway, RETIRE_PERK, **named | {"version": 2})
    assert gone["perk"]["retiredAt"] == NOW.isoformat().replace("+00:00", "Z")
    before = await everything_kept()
    for document, wrong, error in (
        (CHANGE_PERK, named | {"version": 3, "value": "x"}, ("PERK_UNKNOWN", ["perkId"])),
        (DEFINE_PERK, given | {"level": "tin"}, ("LEVEL_UNKNOWN", ["level"])),
        (DEFINE_PERK, given | {"quota": None}, ("INVALID_INPUT", ["quota"])),
        (DEFINE_PERK, given | {"kind": "DISCOUNT"}, ("INVALID_INPUT", ["value"])),
        (DEFINE_PERK, given | {"code": "discount"}, ("PERK_EXISTS", ["code"])),
    ):
        refused = await acts(gateway, document, **wrong)
        [found] = refused["userErrors"]
        assert (found["code"], found["field"]) == error
    assert await everything_kept() == before


async def test_the_rules_of_levels_and_of_earning_are_set_by_version(gateway: Gateway) -> None:
    rules = {"window": "ROLLING", "months": 12, "graceDays": 0, "noticeDays": 30, "version": 0}
    assert (await staff(gateway, f"levelRules {{ {RULES} }}"))["levelRules"] == rules
    wanted = {"window": "CALENDAR_YEAR", "graceDays": 30, "noticeDays": 14}
    made = await acts(gateway, SET_RULES, version=0, **wanted)
    assert made["levelRules"] == wanted | {"months": None, "version": 1}
    for given, error in (
        ({"version": 0}, ("DEFINITION_CHANGED", ["version"])),
        ({"version": 1, "months": 6}, ("INVALID_INPUT", ["months"])),
        ({"version": 1, "graceDays": 181}, ("INVALID_INPUT", ["graceDays"])),
    ):
        refused = await acts(gateway, SET_RULES, **wanted | given)
        [found] = refused["userErrors"]
        assert (found["code"], found["field"]) == error

    themes = [{"theme": "tea", "permillePerYuan": 2_000}]
    rule = {
        "code": "standard",
        "permillePerYuan": 1_000,
        "maturesAfterDays": 14,
        "themes": themes,
        "expiry": {"kind": "END_OF_YEAR", "number": 31},
    }
    published = await acts(gateway, PUBLISH, version=1, **rule)
    assert published["rule"] == rule | {"version": 2}
    again = await acts(gateway, PUBLISH, version=2, **rule)
    assert again == published
    before = await everything_kept()
    for changes, error in (
        ({"version": 1}, ("DEFINITION_CHANGED", ["version"])),
        ({"version": 0, "code": "a b"}, ("INVALID_INPUT", ["code"])),
        ({"permillePerYuan": 1_000_001}, ("INVALID_INPUT", ["permillePerYuan"])),
        ({"themes": themes * 2}, ("INVALID_INPUT", ["themes"])),
        ({"expiry": {"kind": "NEVER", "number": 1}}, ("INVALID_INPUT", ["expiry", "number"])),
        ({"expiry": {"kind": "AFTER_DAYS", "number": 0}}, ("INVALID_INPUT", ["expiry"])),
    ):
        refused = await acts(gateway, PUBLISH, **{**rule, "version": 2, **changes})
        [found] = refused["userErrors"]
        assert (found["code"], found["field"]) == error
    assert await everything_kept() == before
    history = await staff(
        gateway,
        f"""earningRules {{ {RULE} }} earningRuleHistory(code: "standard", first: 1) {{
            nodes {{ publishedAt rule {{ version }} }} pageInfo {{ hasNextPage }} }}""",
    )
    assert history == {
        "earningRules": [rule | {"version": 2}],
        "earningRuleHistory": {
            "nodes": [{"publishedAt": "2026-03-01T12:00:00Z", "rule": {"version": 2}}],
            "pageInfo": {"hasNextPage": True},
        },
    }


async def test_the_programme_is_set_and_carried_as_a_file(gateway: Gateway) -> None:
    programme = (await staff(gateway, f"programme {{ {PROGRAMME} }}"))["programme"]
    wanted = programme | {"nameEn": "Better Things", "timeZone": "Asia/Tokyo"}
    made = await acts(gateway, SET_PROGRAMME, **wanted)
    assert made["programme"] == wanted | {"version": programme["version"] + 1}
    before = await everything_kept()
    for changes, error in (
        ({"version": programme["version"]}, ("DEFINITION_CHANGED", ["version"])),
        ({"timeZone": "Mars/Olympus"}, ("INVALID_INPUT", ["timeZone"])),
        ({"timeZone": "localtime"}, ("INVALID_INPUT", ["timeZone"])),
        ({"currency": "yuan"}, ("INVALID_INPUT", ["currency"])),
        ({"nameZh": ""}, ("INVALID_INPUT", ["nameZh"])),
    ):
        refused = await acts(gateway, SET_PROGRAMME, **made["programme"] | changes)
        [found] = refused["userErrors"]
        assert (found["code"], found["field"]) == error
    assert await everything_kept() == before

    text = (await staff(gateway, "programmeFile", StaffRole.ADMIN))["programmeFile"]
    assert "\n  name_en: Better Things\n" in text
    nothing: dict[str, Any] = {"changes": [], "warnings": [], "userErrors": []}
    assert await acts(gateway, IMPORT, yaml=text) == nothing
    other = text.replace("Better Things", "Best Things")
    assert await acts(gateway, IMPORT, yaml=other) == {
        "changes": [
            {"path": "programme.name_en", "before": "Better Things", "after": "Best Things"}
        ],
        "warnings": [],
        "userErrors": [],
    }
    stays = {"path": "rewards[0].stock", "line": 8, "text": "stock of mug stays 5; the file says 9"}
    for stock, warnings in ((5, []), (9, [stays])):
        made = await acts(gateway, IMPORT, yaml=MUG.format(stock=stock))
        assert (made["warnings"], made["userErrors"]) == (warnings, [])
    bad = await acts(gateway, IMPORT, yaml="jifen: 1\nlevels: &a [*a]\n")
    assert bad == nothing | {
        "userErrors": [
            {
                "code": "PROGRAMME_FILE_INVALID",
                "message": "设置文件不符合要求",
                "problems": [{"path": "", "line": 2, "rule": "no anchors and no aliases"}],
            }
        ],
    }


async def test_a_level_is_granted_and_the_grant_ended(gateway: Gateway) -> None:
    bob = await gateway.sign_in("o-bob")
    given = {
        "member": {"id": bob.member_id},
        "level": "gold",
        "reason": "A guest of ours",
        "until": "2026-06-01T00:00:00Z",
    }
    made = await acts(gateway, GRANT, **given)
    grant = made["grant"]
    assert grant == {
        "id": grant["id"],
        "level": "gold",
        "reason": "A guest of ours",
        "since": "2026-03-01T12:00:00Z",
        "until": "2026-06-01T00:00:00Z",
        "endedAt": None,
    }
    by = f'by: {{id: "{bob.member_id}"}}'
    looked = f"member({by}) {{ tier {{ level {{ code }} }} levelGrants {{ id reason }} }}"
    found = await staff(gateway, looked)
    assert found["member"] == {
        "tier": {"level": {"code": "gold"}},
        "levelGrants": [{"id": grant["id"], "reason": "A guest of ours"}],
    }
    for changes, error in (
        ({"level": "jade"}, ("LEVEL_UNKNOWN", ["level"])),
        ({"level": "bronze"}, ("INVALID_INPUT", ["level"])),
        ({"until": "2026-03-01T12:00:00Z"}, ("INVALID_INPUT", ["until"])),
        ({"until": "9999-12-31T23:59:59Z"}, ("INVALID_INPUT", ["until"])),
        ({"reason": ""}, ("INVALID_INPUT", ["reason"])),
        ({"member": {"phone": "+8613800138999"}}, ("MEMBER_NOT_FOUND", ["member"])),
    ):
        refused = await acts(gateway, GRANT, **given | changes)
        [error_found] = refused["userErrors"]
        assert (error_found["code"], error_found["field"]) == error
    ended = await acts(gateway, END_GRANT, grantId=grant["id"])
    gone = {"id": grant["id"], "level": "gold", "endedAt": "2026-03-01T12:00:00Z"}
    assert ended == {"grant": gone, "userErrors": []}
    again = await acts(gateway, END_GRANT, grantId=grant["id"])
    assert [one["code"] for one in again["userErrors"]] == ["LEVEL_GRANT_UNKNOWN"]
    found = await staff(gateway, looked)
    assert found["member"] == {"tier": {"level": {"code": "bronze"}}, "levelGrants": []}
    log = await staff(
        gateway,
        f'auditLog(of: {{kind: "member", id: "{bob.member_id}"}}) {{ nodes {{ action }} }}',
    )
    assert [row["action"] for row in log["auditLog"]["nodes"]].count("level.end_grant") == 1


async def test_a_refusal_tells_all_that_the_level_asks_for(gateway: Gateway) -> None:
    bob = await gateway.sign_in("o-bob")
    refused = await answer(
        gateway,
        """mutation($input: RedeemRewardInput!) { redeemReward(input: $input) { userErrors {
            ... on LevelTooLow { required { code threshold amount purchases match } } } } }""",
        bob.access_token,
        input={"rewardId": reward_id("seat"), "idempotencyKey": "seat"},
    )
    asked = {"code": "gold", "threshold": 3_000, "amount": None, "purchases": None, "match": "ALL"}
    assert refused["userErrors"] == [{"required": asked}]
