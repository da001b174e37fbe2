"""Text messages on their way to the merchant's service, through a real server that may fail."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import orjson
import pytest
import structlog

from domain.errors import SmsUnavailable
from domain.texting import (
    LoggedTextMessages,
    NoTextMessages,
    TextingLimits,
    TextMessage,
    WebhookTextMessages,
    key_of,
    signature,
)
from tests.domain.texting.receiver import HANG, SECRET, Receiver, is_signed, running_receiver

PHONE = "+8613800138000"
HELLO = TextMessage(
    template="sign_in_code", values={"code": "123456"}, text="Your code: 123456", language="en"
)
QUICK = TextingLimits(deadline_s=2.0, try_s=0.3)


@pytest.fixture(scope="module")
def _receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def receiver(_receiver: Receiver) -> Receiver:
    _receiver.reset()
    return _receiver


@asynccontextmanager
async def sender(
    url: str, *, secret: str = SECRET, limits: TextingLimits = QUICK
) -> AsyncIterator[WebhookTextMessages]:
    messages = WebhookTextMessages(
        url=url, secret=secret, limits=limits, clock_s=lambda: 1772366400.9
    )
    yield messages
    await messages.aclose()


async def test_a_message_arrives_signed(receiver: Receiver) -> None:
    async with sender(receiver.url) as messages:
        await messages.send(PHONE, HELLO)
    [(headers, body)] = receiver.requests
    assert orjson.loads(body) == {
        "type": "sms.sign_in_code",
        "to": PHONE,
        "text": "Your code: 123456",
        "language": "en",
        "values": {"code": "123456"},
    }
    assert headers["content-type"] == "application/json"
    assert headers["webhook-timestamp"] == "1772366400"
    assert headers["webhook-id"].startswith("sms_")
    assert is_signed(headers, body)
    assert not is_signed(headers, body + b" ")


async def test_a_service_that_was_away_is_asked_once_more_with_the_same_id(
    receiver: Receiver,
) -> None:
    receiver.answers = [503]
    async with sender(receiver.url) as messages:
        await messages.send(PHONE, HELLO)
    assert len(receiver.requests) == 2
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 1
    assert [one["to"] for one in receiver.messages] == [PHONE]


FAILING = {
    "down": ([500, 502], 2),
    "hanging": ([HANG, HANG], 2),
    "hanging, then down": ([HANG, 503], 2),
    "down, then refusing": ([500, 400], 2),
    "refusing": ([400], 1),
    "sending elsewhere": ([301, 301], 2),
}


@pytest.mark.parametrize("failing", FAILING)
async def test_a_failing_service_is_a_refusal_within_the_deadline(
    receiver: Receiver, failing: str
) -> None:
    receiver.answers, tries = list(FAILING[failing][0]), FAILING[failing][1]
    async with sender(receiver.url) as messages:
        with structlog.testing.capture_logs() as lines, pytest.raises(SmsUnavailable) as refused:
            await messages.send(PHONE, HELLO)
    assert refused.value.retryable
    assert refused.value.perhaps_sent is (failing != "refusing")
    assert len(receiver.requests) == tries
    assert [line["event"] for line in lines] == ["sms_unavailable"]
    assert not any(secret in str(lines) for secret in ("13800138000", "123456", receiver.url))


async def test_the_deadline_covers_both_tries(receiver: Receiver) -> None:
    receiver.answers = [HANG, HANG]
    limits = TextingLimits(deadline_s=0.2, try_s=10)
    async with sender(receiver.url, limits=limits) as messages:
        with pytest.raises(SmsUnavailable):
            await messages.send(PHONE, HELLO)
    assert len(receiver.requests) == 1


async def test_nobody_at_the_address_is_a_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with sender(f"http://127.0.0.1:{port}/sms") as messages:
        with pytest.raises(SmsUnavailable):
            await messages.send(PHONE, HELLO)


async def test_another_secret_is_refused_by_the_service(receiver: Receiver) -> None:
    async with sender(receiver.url, secret="whsec_" + "A" * 32) as messages:
        with pytest.raises(SmsUnavailable):
            await messages.send(PHONE, HELLO)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("secret", ["", "whsec_", "A" * 32, "whsec_AAAA", "whsec_" + "ä" * 32])
def test_a_secret_must_be_one(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_ and the base64 of 24 to 64"):
        key_of(secret)


def test_the_signature_of_the_specification() -> None:
    """The vector of the Standard Webhooks specification."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert (
        signature(
            key,
            message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
            timestamp_s=1614265330,
            body=b'{"test": 2432232314}',
        )
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


async def test_without_a_sender_it_is_refused() -> None:
    with pytest.raises(SmsUnavailable):
        await NoTextMessages().send(PHONE, HELLO)


async def test_in_development_the_log_is_the_telephone() -> None:
    with structlog.testing.capture_logs() as lines:
        await LoggedTextMessages().send(PHONE, HELLO)
    assert lines == [
        {
            "event": "sms_not_sent",
            "log_level": "warning",
            "phone": PHONE,
            "template": "sign_in_code",
            "code": "123456",
        }
    ]


def test_a_message_keeps_its_secret() -> None:
    assert "123456" not in repr(HELLO)
