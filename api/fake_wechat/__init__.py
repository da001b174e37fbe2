"""A fake WeChat: the calls Jifen makes, served over real HTTP on loopback.

No public simulator of these endpoints exists. `serve` runs it in the foreground (the command
`python -m api.cli fake-wechat`), `running_fake_wechat` in a thread for tests. The page at `/` shows
the control endpoints with a curl line each.
"""

from api.fake_wechat.application import create_fake_wechat
from api.fake_wechat.server import RunningFake, running_fake_wechat, serve
from api.fake_wechat.state import FakeWeChat
from api.settings import DEMO_APP_ID, DEMO_APP_SECRET

__all__ = [
    "DEMO_APP_ID",
    "DEMO_APP_SECRET",
    "FakeWeChat",
    "RunningFake",
    "create_fake_wechat",
    "running_fake_wechat",
    "serve",
]
