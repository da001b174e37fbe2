"""Documents by their hash, as clients name them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from tests.api.gateway import Gateway


def sha256(text: str) -> str:
    """The hash of a document."""
    return hashlib.sha256(text.encode()).hexdigest()


def persisted(text: str, *, version: Any = 1) -> dict[str, Any]:
    """Apollo's extension, for a document with this text."""
    return {"persistedQuery": {"version": version, "sha256Hash": sha256(text)}}


async def post(
    gateway: Gateway, headers: Mapping[str, str] | None = None, **members: Any
) -> httpx.Response:
    """A POST with exactly these members."""
    return await gateway.http.post("/graphql", json=members, headers=headers)


async def get(
    gateway: Gateway, headers: Mapping[str, str] | None = None, **members: Any
) -> httpx.Response:
    """A GET with exactly these members."""
    parameters = {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in members.items()
    }
    return await gateway.http.get("/graphql", params=parameters, headers=headers)


def error_of(response: httpx.Response) -> tuple[str, str]:
    """The code and the message of an answer that is nothing but one error."""
    assert list(response.json()) == ["errors"], response.text
    (error,) = response.json()["errors"]
    return error["extensions"]["code"], error["message"]
