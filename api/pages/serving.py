"""The routes of the pages. They exist in development only: production answers 404 at all of them.

Nothing of a request is shown: the commands to paste name this machine's own ports, whatever the
Host header says. What tells of the demo answers to known hosts alone (`api.pages.hosts`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import jinja2
import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.demo.demo_file import read_demo
from api.demo.pasting import home_command, sign_in_command
from api.pages.hosts import require_known_host
from api.pages.presets import Preset, graphiql_presets, presets, served
from api.pages.words import WORDS
from api.settings import Settings
from api.transport import response_language
from resolvers.context import Language
from schema.building import JifenSchema
from schema.catalogue_of_errors import RefusalGroup, refusal_groups
from schema.faults import FAULTS
from schema.planned_operations import Operation

DOCS: Final = Path(__file__).parents[2] / "docs"
DECISIONS: Final = DOCS / "decisions"
GUIDES: Final = {
    "mini-program": "doc_mini_program",
    "shops": "doc_shops",
    "members": "doc_members",
    "operations": "doc_operations",
    "levels": "doc_levels",
    "rewards": "doc_rewards",
    "performance": "doc_performance",
    "recommendations": "doc_recommendations",
    "recommendation-model": "doc_recommendation_model",
    "feedback": "doc_feedback",
    "service-levels": "doc_service_levels",
    "notifications": "doc_notifications",
    "partners": "doc_partners",
    "game-rewards": "doc_game_rewards",
    "reconciliation": "doc_reconciliation",
    "webhooks": "doc_webhooks",
    "ledger": "doc_ledger",
    "errors": "doc_errors",
    "access": "doc_access",
    "ARCHITECTURE": "doc_architecture",
    "GLOSSARY": "doc_glossary",
}
"""The pages of docs/ that are served, each with the key of its title."""

HEADERS: Final = {
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def pages(schema: JifenSchema, settings: Settings) -> list[BaseRoute]:
    """The start page, GraphiQL's presets and the documentation."""
    site = _Site(schema, settings)
    return [
        Route("/", site.start),
        Route("/graphiql/presets.json", site.presets),
        Route("/docs/{name}.md", site.document),
        Route("/docs/decisions/{name}.md", site.decision),
    ]


@dataclass
class _Site:
    """What the pages are made from; worked out when the first one is asked for."""

    schema: JifenSchema
    settings: Settings

    async def start(self, request: Request) -> Response:
        """The start page, in the language of the query string or of the header."""
        require_known_host(request.headers.get("host"), self.settings)
        await asyncio.to_thread(self._work_out)
        wanted = request.query_params.get("lang")
        language: Language = (
            wanted  # type: ignore[assignment]  # it is one of the two
            if wanted in WORDS
            else response_language(request.headers.get("accept-language"))
        )
        return Response(
            self._page.render(self._told(language)),
            media_type="text/html; charset=utf-8",
            headers={**HEADERS, "content-language": language, "vary": "Accept-Language"},
        )

    async def presets(self, request: Request) -> Response:
        """What GraphiQL opens with, tokens of the running demo among it."""
        require_known_host(request.headers.get("host"), self.settings)
        await asyncio.to_thread(self._work_out)
        return Response(
            orjson.dumps(graphiql_presets(self._presets())),
            media_type="application/json",
            headers={"cache-control": "no-store"},
        )

    async def document(self, request: Request) -> Response:
        """A guide, as the text that it is."""
        name = request.path_params["name"]
        if name not in GUIDES:
            raise HTTPException(404)
        return _text(DOCS / f"{name}.md")

    async def decision(self, request: Request) -> Response:
        """A decision that the guides refer to."""
        name = request.path_params["name"]
        if name not in {file.stem for file in DECISIONS.glob("*.md")}:
            raise HTTPException(404)
        return _text(DECISIONS / f"{name}.md")

    def _work_out(self) -> None:
        """Half a second's work, the first time: beside the loop, which answers others meanwhile."""
        _ = self._operations, self._groups, self._page

    def _told(self, language: Language) -> dict[str, Any]:
        """What the template is filled with."""
        demo = read_demo()
        graphql_url = (demo or {}).get("graphqlUrl") or (
            f"http://127.0.0.1:{self.settings.port}/graphql"
        )
        return {
            "language": language,
            "other": "en" if language == "zh" else "zh",
            # As attributes: a mapping has words of its own, like `copy` and `keys`.
            "words": SimpleNamespace(**WORDS[language]),
            "graphql_url": graphql_url,
            "fake_wechat_url": self.settings.wechat_url,
            "sign_in": sign_in_command(
                fake_wechat_url=self.settings.wechat_url,
                graphql_url=graphql_url,
                app_id=next(iter(self.settings.wechat_apps), ""),
            ),
            "home": home_command(graphql_url=graphql_url) if demo else None,
            "audiences": self._audiences(),
            "groups": self._groups,
            "faults": FAULTS,
            "guides": GUIDES,
            # Several workers have a port each for theirs.
            "shows_metrics": self.settings.workers == 1,
        }

    def _audiences(self) -> dict[str, list[Preset]]:
        """The operations of each audience."""
        found: dict[str, list[Preset]] = {}
        for one in self._presets():
            found.setdefault(one.audience, []).append(one)
        return found

    def _presets(self) -> list[Preset]:
        return presets(self._operations, self.schema._schema, self.settings)

    @cached_property
    def _operations(self) -> list[Operation]:
        return served(self.schema._schema)

    @cached_property
    def _groups(self) -> list[RefusalGroup]:
        return refusal_groups()

    @cached_property
    def _page(self) -> jinja2.Template:
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["pretty"] = _pretty
        return environment.get_template("start.html")


def _text(file: Path) -> Response:
    return Response(file.read_bytes(), media_type="text/plain; charset=utf-8", headers=HEADERS)


def _pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
