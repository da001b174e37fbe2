"""The gateway as the platform talks to it: a token, and GraphQL with a signature."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import httpx

from wheelpark import signing
from wheelpark.settings import Settings

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN_SPARE_S = 60

PUSH = """
mutation PushRewards($input: PushRewardsInput!) {
  pushRewards(input: $input) {
    batch {
      id replayed receivedAt
      receipts { index externalId status firstStatus code entryId }
      counts { applied duplicate rejected pending }
      signature keyId
    }
    userErrors { code message field retryable }
  }
}
"""

EXCHANGE = """
mutation ExchangeBindToken($input: ExchangeBindTokenInput!) {
  exchangeBindToken(input: $input) { memberRef userErrors { code message } }
}
"""

RECORD = """
mutation RecordGameEvents($input: RecordGameEventsInput!) {
  recordGameEvents(input: $input) { accepted duplicates userErrors { code message field } }
}
"""

CAMPAIGNS = """
query Campaign {
  program { timeZone }
  gameCampaigns(first: 50) {
    nodes { id title disclosure { version frozenAt prizes { code title count odds } } }
  }
}
"""

RECEIPTS = """
query Receipts($externalIds: [ID!]!) {
  partner {
    receipts(externalIds: $externalIds) {
      externalId status code entryId occurredAt signature keyId
    }
  }
}
"""


class TryLater(Exception):
    """Raised when the gateway did not answer, or asked to come back: send the same again."""

    def __init__(self, reason: str, *, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Refused(Exception):
    """Raised when what was sent is no good, and would be no better later."""


class Gateway:
    """The gateway, with a token that is fetched when it is needed."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._http = http
        self._token = ""
        self._until = 0.0

    async def mutate(self, document: str, values: dict[str, Any]) -> dict[str, Any]:
        """The payload of a signed mutation with this input. Raises TryLater, Refused."""
        data = await self._ask(document, {"input": values}, sign=True)
        payload: dict[str, Any] = next(iter(data.values()))
        return payload

    async def query(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of a query. Raises TryLater, Refused."""
        return await self._ask(document, variables, sign=False)

    async def download(self, url: str) -> bytes:
        """What is at a link of the gateway's. Raises TryLater."""
        parts = urlsplit(url)
        return (await self._send("GET", f"{parts.path}?{parts.query}")).content

    async def upload(self, path: str, content: bytes, *, signed: str) -> None:
        """Send a file; `signed` is what stands for it in the signature. Raises TryLater."""
        headers = {
            "authorization": f"Bearer {await self._access_token()}",
            "content-type": "application/x-ndjson",
            "content-digest": signed.partition(".")[2],
        }
        headers |= self._signature(signed.encode())
        await self._send("POST", path, content=content, headers=headers)

    async def public_keys(self) -> list[Any]:
        """The keys with which the gateway signs."""
        answer = await self._send("GET", "/.well-known/jwks.json")
        keys: list[Any] = answer.json()["keys"]
        return keys

    async def _ask(self, document: str, variables: dict[str, Any], *, sign: bool) -> dict[str, Any]:
        body = json.dumps({"query": document, "variables": variables}).encode()
        headers = {
            "authorization": f"Bearer {await self._access_token()}",
            "content-type": "application/json",
        }
        if sign:
            headers |= self._signature(body)
        answer = await self._send("POST", "/graphql", content=body, headers=headers)
        told = answer.json()
        if told.get("errors"):
            raise _no_data(told["errors"])
        data: dict[str, Any] = told["data"]
        return data

    def _signature(self, body: bytes) -> dict[str, str]:
        return signing.headers(self._settings.key, body, timestamp=int(self._settings.clock()))

    async def _access_token(self) -> str:
        if self._settings.clock() < self._until - TOKEN_SPARE_S:
            return self._token
        known = (await self._send("GET", "/.well-known/oauth-authorization-server")).json()
        answer = await self._send(
            "POST",
            "/oauth/token",
            data={
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": signing.assertion(
                    self._settings.key,
                    partner=self._settings.partner,
                    audience=known["token_endpoint"],
                    timestamp=int(self._settings.clock()),
                ),
            },
        )
        told = answer.json()
        self._token, self._until = told["access_token"], self._settings.clock() + told["expires_in"]
        return self._token

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """An answer that can be read. Raises TryLater."""
        url = f"{self._settings.gateway_url}{path}"
        try:
            answer = await self._http.request(method, url, **request)
        except httpx.HTTPError as failure:
            raise TryLater(repr(failure)) from failure
        if answer.status_code == 401:
            self._until = 0.0  # A token may be taken back before its time.
            raise TryLater(f"401: {answer.text}")
        if answer.status_code == 429 or answer.status_code >= 500:
            after = answer.headers.get("retry-after", "")
            raise TryLater(
                f"{answer.status_code} from {path}", after_s=float(after) if after else None
            )
        if answer.status_code == 413:
            raise Refused(f"413 from {path}: it is too long")
        if answer.is_error and path == "/graphql":
            raise _no_data(_errors_of(answer))
        if answer.is_error:
            raise TryLater(f"{answer.status_code} from {path}: {answer.text}")
        return answer


def _errors_of(answer: httpx.Response) -> list[Any]:
    try:
        errors: list[Any] = answer.json()["errors"]
    except (ValueError, KeyError, TypeError):
        return [{"message": f"{answer.status_code}: {answer.text[:200]}"}]
    return errors


def _no_data(errors: list[Any]) -> Refused | TryLater:
    """What an answer without data means.

    A value that is none of its type is what was sent. All else (no scope, another network, a
    document that this gateway does not know) is a matter of the two houses: nothing that waits is
    any worse for it, and it goes out once somebody has seen to it.
    """
    codes = {one.get("extensions", {}).get("code") for one in errors}
    told = "; ".join(str(one.get("message")) for one in errors)
    return Refused(told) if codes == {"BAD_USER_INPUT"} else TryLater(told)
