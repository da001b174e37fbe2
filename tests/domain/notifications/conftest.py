"""A mail server and a service of text messages, one of each for a module."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from domain.texting import TextingLimits, WebhookTextMessages
from tests.domain.mailing.post_office import PostOffice, open_post_office
from tests.domain.notifications.channels import Shop
from tests.domain.texting.receiver import SECRET, Receiver, running_receiver


@pytest.fixture(scope="module")
def _office() -> Iterator[PostOffice]:
    with open_post_office() as office:
        yield office


@pytest.fixture
def shop(_office: PostOffice) -> Shop:
    _office.reset()
    return Shop(office=_office)


@pytest.fixture(scope="module")
def _receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def sms(_receiver: Receiver) -> Receiver:
    _receiver.reset()
    return _receiver


@pytest.fixture
async def texts(sms: Receiver) -> AsyncIterator[WebhookTextMessages]:
    limits = TextingLimits(deadline_s=5, try_s=2)
    sender = WebhookTextMessages(url=sms.url, secret=SECRET, limits=limits)
    yield sender
    await sender.aclose()
