"""Which sender of text messages the settings choose, and which settings are refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from api.opening import open_texting
from api.telling.settings import SmsSettings
from domain.texting import LoggedTextMessages, NoTextMessages, WebhookTextMessages
from tests.api.gateway import development_settings, production_settings
from tests.domain.texting.receiver import SECRET

HTTPS = {"url": "https://sms.example/send", "secret": SECRET}


async def test_development_without_a_service_logs_messages() -> None:
    async with open_texting(development_settings()) as texts:
        assert isinstance(texts, LoggedTextMessages)


async def test_production_without_a_service_sends_none() -> None:
    async with open_texting(production_settings()) as texts:
        assert isinstance(texts, NoTextMessages)


async def test_a_service_takes_them_wherever_one_is_named() -> None:
    for settings in (development_settings(sms=HTTPS), production_settings(sms=HTTPS)):
        async with open_texting(settings) as texts:
            assert isinstance(texts, WebhookTextMessages)


BAD = {
    "no secret": ({"url": HTTPS["url"]}, ["JIFEN_SMS__SECRET must be whsec_"]),
    "a short secret": (HTTPS | {"secret": "whsec_AAAA"}, ["JIFEN_SMS__SECRET must be whsec_"]),
    "no address": (HTTPS | {"url": "sms.example"}, ["JIFEN_SMS__URL must begin with https://"]),
    "unencrypted": (HTTPS | {"url": "http://sms.example"}, ["JIFEN_SMS__URL must begin with"]),
}


@pytest.mark.parametrize("bad", BAD)
def test_production_refuses_what_cannot_be_safe(bad: str) -> None:
    given, expected = BAD[bad]
    with pytest.raises(ValidationError) as refused:
        production_settings(sms=given)
    assert [one in str(refused.value) for one in expected] == [True]
    assert HTTPS["secret"] not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "is_production", "problems"),
    [
        ({}, True, 0),
        ({"secret": "x"}, True, 0),
        ({"url": "http://127.0.0.1:1/sms", "secret": SECRET}, False, 0),
        ({"url": "ftp://sms.example", "secret": "x"}, False, 2),
    ],
)
def test_what_does_not_fit_together(
    given: dict[str, Any], is_production: bool, problems: int
) -> None:
    assert len(SmsSettings(**given).problems(is_production=is_production)) == problems
