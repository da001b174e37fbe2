"""Staff takes partners in, changes them and gives them keys; the log tells, never a secret."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from domain import audit
from domain.access import StaffRole
from domain.paging import PageRequest
from domain.storage import fetch_all
from tests.graphql.gateway import Gateway
from tests.graphql.partners import private_key, public_text
from tests.graphql.programme import CLERK

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARTNER = "code nameZh pointsPerDay networks webhookUrl scopes disabledAt version"
# The point of order 1: whoever has it "signs" anything.
WEAK_PEM = (
    Ed25519PublicKey.from_public_bytes(b"\x01" + bytes(31))
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
MUTATION = """mutation($input: %sInput!) { %s(input: $input) {
    %s userErrors { code field } } }"""


async def send(gateway: Gateway, name: str, selects: str, **given: Any) -> Any:
    token = await gateway.token_of(CLERK, StaffRole.ADMIN)
    kind = (
        "PartnerCode" if name in {"disablePartner", "enablePartner"} else name[0].upper() + name[1:]
    )
    query = MUTATION % (kind, name, selects)
    body = (await gateway.ask(query, {"input": given}, token=token)).json()
    assert "errors" not in body, body
    return body["data"][name]


async def register(gateway: Gateway, **given: Any) -> Any:
    terms = {
        "code": gateway.named("wheel"),
        "nameZh": "转盘",
        "nameEn": "Wheel",
        "pointsPerDay": 1_000,
        "pointsPerMemberDay": 100,
        **given,
    }
    return await send(gateway, "registerPartner", f"partner {{ {PARTNER} }}", **terms)


async def test_a_partner_is_taken_in_once_and_changed_by_version(gateway: Gateway) -> None:
    code = gateway.named("wheel")
    made = await register(gateway, networks=["10.0.0.0/8"])
    expected = {
        "code": code,
        "nameZh": "转盘",
        "pointsPerDay": 1_000,
        "networks": ["10.0.0.0/8"],
        "webhookUrl": None,
        "scopes": ["rewards:read", "rewards:write"],
        "disabledAt": None,
        "version": 1,
    }
    assert made == {"partner": expected, "userErrors": []}
    assert await register(gateway, networks=["10.0.0.0/8"]) == made
    taken = await register(gateway, pointsPerDay=2)
    assert taken == {"partner": None, "userErrors": [{"code": "CODE_TAKEN", "field": ["code"]}]}
    change = {"code": code, "version": 1, "pointsPerDay": 5, "networks": None}
    changed = await send(gateway, "changePartner", f"partner {{ {PARTNER} }}", **change)
    after = expected | {"pointsPerDay": 5, "networks": [], "version": 2}
    assert changed == {"partner": after, "userErrors": []}
    stale = await send(gateway, "changePartner", f"partner {{ {PARTNER} }}", **change)
    assert stale["userErrors"] == [{"code": "DEFINITION_CHANGED", "field": ["version"]}]
    disabled = await send(gateway, "disablePartner", "partner { disabledAt }", code=code)
    assert disabled["partner"] == {"disabledAt": "2026-03-01T12:00:00Z"}
    enabled = await send(gateway, "enablePartner", "partner { disabledAt }", code=code)
    assert enabled["partner"] == {"disabledAt": None}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"networks": ["10.0.0.1/8"]}, "networks"),
        ({"pointsPerDay": -1}, "pointsPerDay"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"webhookUrl": "http://games.example/hook"}, "webhookUrl"),
        ({"webhookUrl": "https://games.example/#here"}, "webhookUrl"),
        ({"webhookUrl": "https://010.0.0.1/hook"}, "webhookUrl"),
        ({"webhookUrl": "https://a<b.example/hook"}, "webhookUrl"),
        ({"nameEn": ""}, "nameEn"),
    ],
)
async def test_what_breaks_a_rule_is_refused(
    gateway: Gateway, given: dict[str, Any], field: str
) -> None:
    answer = await register(gateway, **given)
    assert answer["userErrors"] == [{"code": "INVALID_INPUT", "field": [field]}]
    found = await fetch_all("SELECT code FROM partner WHERE code = $1", gateway.named("wheel"))
    assert list(found) == []


async def test_two_keys_of_a_kind_count_and_secrets_are_told_once(gateway: Gateway) -> None:
    code = gateway.named("wheel")
    await register(gateway)
    selects = "secret key { id kind publicKey retiresAt }"
    secrets = []
    for _ in range(2):
        added = await send(gateway, "addPartnerKey", selects, code=code, kind="HMAC")
        secrets.append(added["secret"])
    assert all(one.startswith("whsec_") and len(one) == 50 for one in secrets)
    third = await send(gateway, "addPartnerKey", selects, code=code, kind="HMAC")
    assert third["userErrors"] == [{"code": "PARTNER_KEY_LIMIT_REACHED", "field": ["kind"]}]
    ended = await send(
        gateway, "retirePartnerKey", "key { retiresAt }", code=code, keyId=added["key"]["id"]
    )
    assert ended["key"] == {"retiresAt": "2026-03-01T12:00:00Z"}
    again = await send(gateway, "addPartnerKey", selects, code=code, kind="HMAC")
    assert again["userErrors"] == []
    public = public_text(private_key())
    mine = await send(
        gateway, "addPartnerKey", selects, code=code, kind="ED25519", publicKey=public
    )
    assert (mine["secret"], mine["key"]["publicKey"]) == (None, public)
    for wrong in (None, "whpk_AAAA", "whpk_" + "A" * 43 + "=", WEAK_PEM):
        refused = await send(
            gateway, "addPartnerKey", selects, code=code, kind="JWT", publicKey=wrong
        )
        assert refused["userErrors"] == [{"code": "INVALID_INPUT", "field": ["publicKey"]}]

    told = [str(entry) for entry in (await audit.entries(PageRequest(first=50))).items]
    kept = [str(dict(row)) for row in await fetch_all("SELECT * FROM partner_key")]
    assert any("partner_key.add" in one for one in told)
    for secret in secrets:
        assert not any(secret in one or secret[6:] in one for one in [*told, *kept])


async def test_marketing_sees_partners_and_makes_none(gateway: Gateway) -> None:
    code = gateway.named("wheel")
    await register(gateway)
    token = await gateway.token_of(CLERK, StaffRole.MARKETING)
    query = "query($code: String!) { staff { partner(code: $code) { code keys { id } } } }"
    body = (await gateway.ask(query, {"code": code}, token=token)).json()
    assert body["data"]["staff"]["partner"] == {"code": code, "keys": []}
    listed = (await gateway.ask("{ staff { partners { nodes { code } } } }", token=token)).json()
    assert {"code": code} in listed["data"]["staff"]["partners"]["nodes"]
    query = MUTATION % ("PartnerCode", "disablePartner", "partner { code }")
    refused = (await gateway.ask(query, {"input": {"code": code}}, token=token)).json()
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
