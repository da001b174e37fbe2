"""What a partner's bad signatures cost, and whom."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import httpx

from tests.graphql import test_rates as rates
from tests.graphql.gateway import NOW
from tests.graphql.partners import private_key, take_in

open_limited = rates.open_limited


async def test_bad_signatures_are_paid_for_by_their_address(open_limited: rates.Open) -> None:
    async with open_limited(address=rates.bucket(60, 1)) as gateway:
        platform = await take_in(gateway)
        token, body = await platform.token(), b'{"query": "{ partner { code } }"}'
        good = platform.headers(body)
        stale = platform.headers(body, at=NOW - timedelta(hours=1))
        tried = [platform.headers(body, private=private_key(2)), stale]
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        async with rates.from_address(gateway, "192.0.2.1") as http:

            async def send(signature: Mapping[str, str]) -> httpx.Response:
                return await http.post("/graphql", content=body, headers={**headers, **signature})

            refused = [await send(one) for one in tried * 7]
            expected = [(401, "SIGNATURE_INVALID"), (401, "SIGNATURE_STALE")] * 6
            limited = [(429, "RATE_LIMITED")] * 2
            assert [(one.status_code, rates.code_of(one)) for one in refused] == expected + limited
            assert 290 < int(refused[-1].headers["retry-after"]) <= 300
            # It is not the address that pays for who signs as they must.
            assert rates.code_of(await send(good)) is None
