"""What bounds sign-ins by phone besides the database, and what of them reaches the log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.fake_wechat import RunningFake
from api.rates.settings import BucketSettings
from tests.domain.texting.receiver import Receiver, running_receiver
from tests.graphql.gateway import settings_for
from tests.graphql.operations import operation
from tests.graphql.phones import open_telephones

PHONES = [f"+86138111100{number:02}" for number in range(30)]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def answer_of(response: httpx.Response) -> str:
    """The code of the error or of the refusal; `done` where there is none."""
    body = response.json()
    if "errors" in body:
        return str(body["errors"][0]["extensions"]["code"])
    [payload] = body["data"].values()
    return str(payload["userErrors"][0]["code"]) if payload["userErrors"] else "done"


async def ask(
    app: Any, name: str, given: dict[str, Any], *, address: str, device: str | None = None
) -> str:
    transport = httpx.ASGITransport(app, client=(address, 50_000), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as http:
        headers = {} if device is None else {"x-device-id": device}
        body = {"query": operation(name), "variables": {"input": given}}
        return answer_of(await http.post("/graphql", json=body, headers=headers))


async def test_addresses_and_devices_are_limited_each_by_itself(
    sqlite_url: str, tmp_path: Path, fake: RunningFake, receiver: Receiver
) -> None:
    settings = settings_for(sqlite_url, tmp_path, fake)
    few = BucketSettings(capacity=2, restored_per_minute=1)
    more = BucketSettings(capacity=3, restored_per_minute=1)
    rates = settings.rates.model_copy(
        update={
            "sign_in_code": more,
            "sign_in_code_device": few,
            "phone_sign_in": more,
            "phone_sign_in_device": few,
        }
    )
    phones = iter(PHONES)
    async with open_telephones(
        settings.model_copy(update={"rates": rates}), fake, receiver
    ) as telephones:
        app, clock = telephones.gateway.app, telephones.gateway.clock

        async def code(address: str, device: str | None = None) -> str:
            given = {"phone": next(phones)}
            return await ask(app, "RequestSignInCode", given, address=address, device=device)

        async def guess(address: str, device: str | None = None) -> str:
            given = {"phone": PHONES[0], "code": "nocode"}
            return await ask(app, "SignInWithPhone", given, address=address, device=device)

        for one, done in ((code, "done"), (guess, "SIGN_IN_CODE_INVALID")):
            # One device, from new addresses.
            told = [await one(f"192.0.2.{number}", "mine") for number in range(1, 5)]
            assert told == [done, done, "RATE_LIMITED", "RATE_LIMITED"]
            # What was refused was taken from no address either; another device may go on there.
            assert [await one("192.0.2.3", "yours") for _ in range(2)] == [done, done]
            # One address, with a new device each time, or with none, or with one too long for one.
            names = ["a", None, "x" * 129, "b", None]
            told = [await one("198.51.100.1", name) for name in names]
            assert told == [done] * 3 + ["RATE_LIMITED"] * 2
        clock.advance(minutes=1)
        assert await code("192.0.2.9", "mine") == "done"


async def test_nothing_of_a_number_or_a_code_reaches_the_log(
    sqlite_url: str,
    tmp_path: Path,
    fake: RunningFake,
    receiver: Receiver,
    capfd: pytest.CaptureFixture[str],
) -> None:
    settings = settings_for(sqlite_url, tmp_path, fake)
    loud = {"log_level": "debug", "slow_operation_ms": 0}
    async with open_telephones(settings.model_copy(update=loud), fake, receiver) as telephones:
        phone, gateway = PHONES[0], telephones.gateway
        session = await telephones.sign_in(phone)
        codes = [receiver.code(phone)]
        await telephones.ask("SignInWithPhone", {"phone": phone, "code": codes[0]})
        await telephones.ask("SignInWithPhone", {"phone": phone + "x", "code": codes[0]})
        gateway.clock.advance(minutes=1)
        receiver.answers = [500, 500]
        await telephones.ask("RequestSignInCode", {"phone": phone})
        codes.append(receiver.code(phone))
        await telephones.bind(session.access_token, PHONES[1])
        me = await gateway.ask("{ me { phoneMasked } }", token=session.access_token)
        assert me.json()["data"]["me"]["phoneMasked"] == f"+86138****{PHONES[1][-4:]}"
    # Without the moments, whose six digits of a second may be those of a code.
    logged = re.sub(r"\d\dT[0-9:.]+Z", "", "".join(capfd.readouterr()))
    assert "sms_unavailable" in logged
    assert "SignInWithPhone" in logged
    for secret in (*(one[-8:] for one in PHONES[:2]), *codes):
        assert secret not in logged
