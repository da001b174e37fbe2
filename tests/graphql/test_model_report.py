"""`GET /recommendations/report`: the page of the models, for staff who answer for them."""

from __future__ import annotations

import httpx
import pytest

from domain import recommendations
from domain.access import StaffRole
from domain.recommendations import ScoringSettings
from tests.graphql.gateway import Gateway
from tests.graphql.programme import CLERK
from tests.graphql.uploading import code_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALLOWED = {StaffRole.MARKETING, StaffRole.ADMIN, StaffRole.AUDITOR}


async def report(gateway: Gateway, token: str | None, *, language: str = "en") -> httpx.Response:
    headers = {"accept-language": language}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return await gateway.http.get("/recommendations/report", headers=headers)


async def test_it_is_told_in_the_readers_language(gateway: Gateway) -> None:
    await recommendations.train(ScoringSettings(), clock=gateway.clock)
    answer = await report(gateway, await gateway.staff())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-store"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "Quality of recommendation models" in answer.text
    assert '<span class="badge ACTIVE">serves</span>' in answer.text
    chinese = await report(gateway, await gateway.staff(), language="zh-CN")
    assert chinese.headers["content-language"] == "zh"
    assert "推荐模型质量报告" in chinese.text


@pytest.mark.parametrize("role", list(StaffRole))
async def test_a_role_is_needed(gateway: Gateway, role: StaffRole) -> None:
    answer = await report(gateway, await gateway.token_of(CLERK, role))
    if role in ALLOWED:
        assert answer.status_code == 200
    else:
        assert code_of(answer) == (403, "FORBIDDEN")


async def test_nobody_else_is_told(gateway: Gateway) -> None:
    assert code_of(await report(gateway, None)) == (401, "UNAUTHENTICATED")
    member = await gateway.sign_in()
    assert code_of(await report(gateway, member.access_token)) == (403, "FORBIDDEN")
    assert code_of(await report(gateway, await gateway.shop())) == (403, "FORBIDDEN")
