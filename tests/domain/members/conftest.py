"""The fixtures of this folder."""

from tests.domain.access import fixtures as access
from tests.domain.members import fixtures
from tests.domain.wechat import fixtures as wechat_fixtures

key_path = access.key_path
ring = access.ring
tokens = access.tokens
_serving_fake = wechat_fixtures._serving_fake
clock = wechat_fixtures.clock
fake = wechat_fixtures.fake
phone = wechat_fixtures.phone
wechat = fixtures.wechat
door = fixtures.door
