"""The application: its lifespan, its paths, what it answers elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.gateway import Gateway, Parts, development_settings, open_gateway


async def test_the_runtime_is_opened_once_and_closed_at_the_end(tmp_path: Path) -> None:
    parts = Parts()
    async with open_gateway(development_settings(), tmp_path, parts) as gateway:
        assert parts.opened == ["opened"]
        await gateway.data("{ping}")
        await gateway.data("{ping}")
        assert parts.opened == ["opened"]
    assert parts.opened == ["opened", "closed"]


@pytest.mark.parametrize("path", ["/nope", "/graphql/", "/graphql/x", "/livez/"])
async def test_other_paths_are_404_as_json(gateway: Gateway, path: str) -> None:
    response = await gateway.http.get(path, headers={"x-request-id": "r-1"})
    assert response.status_code == 404
    assert response.json() == {
        "errors": [
            {
                "message": "Nothing is served at this path.",
                "extensions": {"code": "NOT_FOUND", "requestId": "r-1"},
            }
        ]
    }


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/schema.graphql", "/.well-known/jwks.json"])
async def test_other_methods_are_405_as_json(gateway: Gateway, path: str) -> None:
    response = await gateway.http.post(path)
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert response.json()["errors"][0]["extensions"]["code"] == "METHOD_NOT_ALLOWED"
