"""The fake WeChat, which the gateway of the imported members speaks to."""

from __future__ import annotations

from tests.domain.wechat import fixtures

_serving_fake = fixtures._serving_fake
clock = fixtures.clock
fake = fixtures.fake
