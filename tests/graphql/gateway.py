"""The real gateway with a clock that stands still, and the people who use it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
from starlette.applications import Starlette

import gateway
from api.app import create_app
from api.custody.settings import CustodySettings
from api.fake_wechat import DEMO_APP_ID, RunningFake
from api.rates.settings import CAPACITY_MAX, BucketSettings
from api.runtime import Runtime
from api.settings import Settings
from api.stress.settings import StressSettings
from api.workers.settings import WorkSettings
from domain import access
from domain.access import AccessTokens, CallerKind
from domain.clock import Clock
from domain.files import ErasureJournal, FileStore
from schema.root import build_schema
from tests.domain.wechat.fixtures import quick_http
from tests.domain.wechat.mini_program import APPS, MiniProgram
from tests.graphql.operations import operation
from tests.graphql.programme import ARCADE, CLERK, SHOP

NOW: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""A Sunday, eight in the evening in Shanghai."""

ISSUER: Final = "https://jifen.example"
GRAPHQL_JSON: Final = "application/graphql-response+json"


class StandingClock(Clock):
    """Tells one moment until it is moved."""

    def __init__(self, moment: datetime) -> None:
        super().__init__()
        self.moment = moment

    def now(self) -> datetime:
        """The moment."""
        return self.moment

    def advance(self, **duration: float) -> None:
        """Move it."""
        self.moment += timedelta(**duration)


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in, as its mini-program knows it."""

    access_token: str
    access_token_expires_at: str
    refresh_token: str
    is_new_member: bool
    member_id: str
    """The global id."""

    @property
    def member(self) -> UUID:
        """The id inside the global one."""
        return UUID(plain_id(self.member_id).removeprefix("Member:"))


def global_id(type_name: str, key: object) -> str:
    """A global id as the server writes it, by the letter of its contract."""
    return base64.urlsafe_b64encode(f"{type_name}:{key}".encode()).rstrip(b"=").decode()


def cursor(content: str) -> str:
    """A cursor with this content, which is JSON: the list's tag, then the item's key."""
    return base64.urlsafe_b64encode(content.encode()).rstrip(b"=").decode()


def entries_cursor(seq: int) -> str:
    """The cursor of an entry of the journal."""
    return cursor(f'["entries",{seq}]')


def plain_id(global_id: str) -> str:
    """What a global id says."""
    return base64.urlsafe_b64decode(global_id + "==").decode()


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway, as everybody around it sees it.

    `tag` tells the people and the shop of one test from those of others in the same database.
    """

    app: Starlette
    http: httpx.AsyncClient
    clock: StandingClock
    phone: MiniProgram
    tokens: AccessTokens
    files: FileStore
    erasures: ErasureJournal
    tag: str = ""

    async def ask(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        language: str | None = None,
        accept: str | None = None,
    ) -> httpx.Response:
        """One GraphQL request."""
        headers = {
            "authorization": f"Bearer {token}" if token else None,
            "accept-language": language,
            "accept": accept,
        }
        return await self.http.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers={name: value for name, value in headers.items() if value is not None},
        )

    async def send(self, name: str, /, token: str | None = None, **variables: Any) -> Any:
        """The answer to a planned operation that succeeds: the value of its one root field."""
        response = await self.ask(operation(name), variables, token=token)
        body = response.json()
        assert "errors" not in body, body
        (answer,) = body["data"].values()
        return answer

    def named(self, name: str) -> str:
        """What WeChat calls somebody of this test; also the code of its shop."""
        return f"{name}{self.tag}"

    async def login(
        self, openid: str = "o-alice", *, unionid: str | None = None, app_id: str = DEMO_APP_ID
    ) -> str:
        """`wx.login` on the phone: a code."""
        named = None if unionid is None else self.named(unionid)
        return await self.phone.login(openid=self.named(openid), unionid=named, appId=app_id)

    async def sign_in(
        self, openid: str = "o-alice", *, unionid: str | None = None, app_id: str = DEMO_APP_ID
    ) -> Session:
        """`wx.login`, then the mutation."""
        code = await self.login(openid, unionid=unionid, app_id=app_id)
        return await self.exchange(code, app_id=app_id)

    async def exchange(self, code: str, *, app_id: str = DEMO_APP_ID) -> Session:
        """The mutation alone, which succeeds."""
        answer = await self.send("SignInWithWeChat", input={"appId": app_id, "code": code})
        assert answer["userErrors"] == []
        session = answer["session"]
        return Session(
            access_token=session["accessToken"],
            access_token_expires_at=session["accessTokenExpiresAt"],
            refresh_token=session["refreshToken"],
            is_new_member=session["isNewMember"],
            member_id=session["member"]["id"],
        )

    async def shop(self, *scopes: str) -> str:
        """A token of the shop: with the named scopes, else with all it holds."""
        return await self.token_of(self.named(SHOP), *scopes)

    async def partner(self) -> str:
        """A token of a partner who may not write purchases."""
        return await self.token_of(ARCADE)

    async def staff(self) -> str:
        """A token of a member of staff with every role."""
        return await self.token_of(CLERK)

    async def token_of(self, code: str, *grants: str) -> str:
        """A token of an account: with the named grants, else with all it holds.

        Made by hand, so that no database changes by it.
        """
        account = await access.find_account(code)
        assert account is not None
        held = frozenset(grants) or account.grants
        staff = account.kind is CallerKind.STAFF
        token, _ = self.tokens.issue(
            account.kind,
            account.id,
            now=self.clock.now(),
            scopes=frozenset() if staff else held,
            roles=held if staff else frozenset(),
        )
        return token


def settings_for(database_url: str, folder: Path, fake: RunningFake) -> Settings:
    """Settings of a developer, whatever this machine's environment says."""
    values: dict[str, Any] = {
        "database_url": database_url,
        "redis_url": "memory://",
        "key_set_path": folder / "keys.json",
        "custody": CustodySettings(
            files_path=folder / "files", erasures_path=folder / "erasures.jsonl"
        ),
        "issuer": ISSUER,
        "wechat_base_url": fake.base_url,
        "wechat_apps": APPS,
        "log_level": "error",
        # Or rows would change under tests that compare what is kept.
        "work": WorkSettings(in_process=False),
        # The deadline of production: on a developer's machine everything may take longer.
        "stress": {"request_s_max": StressSettings().request_s_max},
    }
    return Settings(**values)


def without_limits(settings: Settings) -> Settings:
    """Where more is asked, and larger, than any client may ask."""
    unlimited = BucketSettings(capacity=CAPACITY_MAX, restored_per_minute=CAPACITY_MAX)
    names = [name for name, one in settings.rates if isinstance(one, BucketSettings)]
    rates = settings.rates.model_copy(update=dict.fromkeys(names, unlimited))
    limits = settings.limits.model_copy(update={"cost_max": CAPACITY_MAX})
    return settings.model_copy(update={"rates": rates, "limits": limits})


@asynccontextmanager
async def open_gateway(settings: Settings, fake: RunningFake) -> AsyncIterator[Gateway]:
    """Run the gateway, its lifespan included; only its clock is ours, and stands at NOW."""
    clock = StandingClock(NOW)
    opened: list[Runtime] = []

    @asynccontextmanager
    async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
        async with gateway.open_runtime(settings) as runtime:
            opened.append(replace(runtime, clock=clock))
            yield opened[0]

    app = create_app(settings, build_schema=build_schema, open_runtime=open_runtime)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as http,
        quick_http(base_url=fake.base_url) as phone,
    ):
        yield Gateway(
            app=app,
            http=http,
            clock=clock,
            phone=MiniProgram(phone),
            tokens=opened[0].services.tokens,
            files=settings.custody.files,
            erasures=settings.custody.journal,
        )
