"""The gateway around the sample schema, through its real ASGI app, with real keys and tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import fakeredis
import httpx
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from uuid_utils.compat import uuid7

from api.app import create_app
from api.authentication import ConfirmCaller, confirm_nothing
from api.health import Check
from api.persisted.keeping import KeptDocuments
from api.runtime import Runtime
from api.settings import Settings
from domain.access import AccessTokens, CallerKind, KeyRing
from domain.clock import Clock
from domain.revisions import Revision
from domain.wechat import WeChatClient
from resolvers.context import Services
from tests.schema.sample import MEMBER_A, build_sample

ISSUER = "https://jifen.example"


def development_settings(**changes: Any) -> Settings:
    """Settings of a developer, whatever this machine's environment says."""
    return Settings(
        **{
            "database_url": "sqlite://:memory:",
            "redis_url": "memory://",
            "log_level": "error",
            **changes,
        },
    )


def production_settings(**changes: Any) -> Settings:
    """Settings that production accepts."""
    return Settings(
        **{
            "environment": "production",
            "database_url": "postgres://db.internal/jifen",
            "redis_url": "redis://redis.internal/0",
            "issuer": ISSUER,
            "key_set_path": Path("/etc/jifen/keys.json"),
            "wechat_base_url": "https://api.weixin.qq.com",
            "wechat_apps": {"wx1234567890abcdef": "a-real-secret"},
            "log_level": "error",
            **changes,
        },
    )


@dataclass(slots=True)
class Gateway:
    """A running gateway: its application, its HTTP client, and the tokens that it accepts."""

    app: Starlette
    http: httpx.AsyncClient
    keys: KeyRing
    tokens: AccessTokens

    def token(
        self,
        kind: CallerKind = CallerKind.MEMBER,
        *,
        subject: UUID = MEMBER_A,
        scopes: frozenset[str] = frozenset(),
        roles: frozenset[str] = frozenset(),
        now: datetime | None = None,
    ) -> dict[str, str]:
        """The Authorization header of a caller."""
        token, _ = self.tokens.issue(
            kind,
            subject,
            now=now or datetime.now(UTC),
            scopes=scopes,
            roles=roles,
            session_id=uuid7() if kind is CallerKind.MEMBER else None,
            ttl=timedelta(minutes=15),
        )
        return {"authorization": f"Bearer {token}"}

    async def post(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> httpx.Response:
        """One GraphQL request by POST."""
        body = {"query": query, "variables": variables, **members}
        return await self.http.post("/graphql", json=body, headers=headers)

    async def data(
        self, query: str, variables: Mapping[str, Any] | None = None, **more: Any
    ) -> Any:
        """The data of an answer that must have no error."""
        response = await self.post(query, variables, **more)
        assert "errors" not in response.json(), response.text
        return response.json()["data"]

    async def code(
        self, query: str, variables: Mapping[str, Any] | None = None, **more: Any
    ) -> Any:
        """The code of the first error of an answer that must have one."""
        response = await self.post(query, variables, **more)
        return response.json()["errors"][0]["extensions"]["code"]


REVISION = Revision(member=1, programme=1, moments=(), today=date(2026, 3, 1))


@dataclass(slots=True)
class Parts:
    """What a test may put in place of the defaults."""

    checks: tuple[Check, ...] = ()
    confirm: ConfirmCaller = confirm_nothing
    routes: tuple[BaseRoute, ...] = ()
    opened: list[str] = field(default_factory=list)
    """What happened to the runtime, in order."""
    kept_documents: KeptDocuments = field(default_factory=KeptDocuments)
    revision: Revision = REVISION
    """Of everybody: the sample reads no database."""

    async def revise(self, member_id: UUID | None, *, now: datetime) -> Revision:
        """The revision, which a test may change."""
        return self.revision


async def _guard_nobody(account_id: UUID, now: datetime) -> None:
    """Take every partner as its token says, from anywhere: there is no database."""


@asynccontextmanager
async def open_gateway(
    settings: Settings, folder: Path, parts: Parts | None = None
) -> AsyncIterator[Gateway]:
    """Run the gateway, its lifespan included."""
    parts = parts or Parts()
    clock = Clock()
    keys = KeyRing(folder / "keys.json", now=clock.now(), create_missing=True)
    tokens = AccessTokens(keys, ISSUER)

    @asynccontextmanager
    async def open_runtime(_: Settings) -> AsyncIterator[Runtime]:
        parts.opened.append("opened")
        async with fakeredis.FakeAsyncRedis() as redis:
            wechat = WeChatClient(apps={}, redis=redis)
            yield Runtime(
                services=Services(wechat=wechat, tokens=tokens),
                clock=clock,
                jwks=keys.jwks,
                guard=_guard_nobody,
                checks=parts.checks,
                confirm=parts.confirm,
                kept_documents=parts.kept_documents,
                revise=parts.revise,
            )
            await wechat.aclose()
        parts.opened.append("closed")

    app = create_app(
        settings, build_schema=build_sample, open_runtime=open_runtime, routes=parts.routes
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as http,
    ):
        yield Gateway(app=app, http=http, keys=keys, tokens=tokens)
