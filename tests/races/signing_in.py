"""A process that signs people in, for the races: `python -m tests.races.signing_in`.

Arguments: database URL, fake WeChat's URL, key set's path, one `app id:code` per sign-in. All run
at once; the last line of standard output is the answer as JSON, a list of
`[member id, is new]`; log lines come before it.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import fakeredis
import orjson

from domain import storage
from domain.access import AccessTokens, KeyRing
from domain.members import SignInWithWeChat, sign_in_with_wechat
from domain.wechat import AppSecret, WeChatClient
from tests.domain.access.fixtures import ISSUER, NOW
from tests.domain.wechat.mini_program import APPS
from tests.races.contention import PATIENT


async def main(database: str, base_url: str, key_path: str, *sign_ins: str) -> None:
    tokens = AccessTokens(KeyRing(Path(key_path), now=NOW), ISSUER)
    await storage.connect(database, pool=PATIENT)
    async with fakeredis.FakeAsyncRedis() as redis:
        wechat = WeChatClient(
            apps={app_id: AppSecret(secret) for app_id, secret in APPS.items()},
            redis=redis,
            base_url=base_url,
        )
        commands = (SignInWithWeChat(app_id=a, code=c) for a, c in (s.split(":") for s in sign_ins))
        answers = await asyncio.gather(
            *(sign_in_with_wechat(each, wechat=wechat, tokens=tokens, now=NOW) for each in commands)
        )
        await wechat.aclose()
    await storage.close()
    print(orjson.dumps([[str(each.member.id), each.is_new_member] for each in answers]).decode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
