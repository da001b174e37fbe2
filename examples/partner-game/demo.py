"""Play the demo: take the platform in with a key of its own, and serve it.

    make run                                                 in one terminal
    .venv/bin/python examples/partner-game/demo.py           in another

Then open the address that it prints.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from wheelpark import signing
from wheelpark.gateway import RECEIPTS, Gateway, TryLater
from wheelpark.members_app import members_app
from wheelpark.receipts import receipt_is_signed
from wheelpark.reconcile import NotYet, reconcile
from wheelpark.server import build
from wheelpark.settings import Settings, private_key
from wheelpark.store import Store

ADD_KEY = """
mutation AddPartnerKey($input: AddPartnerKeyInput!) {
  addPartnerKey(input: $input) { key { id } userErrors { code message } }
}
"""

PARTNER = """
query Partner($code: String!) { staff { partner(code: $code) { version webhookUrl } } }
"""

TELL = """
mutation ChangePartner($input: ChangePartnerInput!) {
  changePartner(input: $input) { partner { version webhookUrl } userErrors { code message } }
}
"""


def main() -> None:
    """Set the demo's partner up as staff would, and serve the game and the member's app."""
    given = argparse.ArgumentParser(description="A game whose prizes are points.")
    given.add_argument("--demo", type=Path, default=Path("var/demo.json"))
    given.add_argument("--folder", type=Path, default=Path("var/partner-game"))
    given.add_argument("--port", type=int, default=8420)
    given.add_argument(
        "--reconcile",
        type=date.fromisoformat,
        metavar="DAY",
        help="compare a day, such as 2026-11-22",
    )
    given.add_argument(
        "--receipts", nargs="+", metavar="ID", help="ask how wins stand, and check the signatures"
    )
    options = given.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)

    demo = json.loads(options.demo.read_bytes())
    settings = Settings(
        gateway_url=demo["graphqlUrl"].removesuffix("/graphql"),
        partner=demo["partnerCode"],
        campaign_id=demo["gameCampaignId"],
        key=private_key(options.folder / "key.pem"),
        webhook_secret=demo["partnerSigningSecret"],
        folder=options.folder,
    )
    if options.reconcile is not None:
        asyncio.run(compare(settings, options.reconcile))
        return
    if options.receipts is not None:
        asyncio.run(ask_receipts(settings, options.receipts))
        return
    set_up(settings, staff_token=demo["staffToken"], address=f"http://127.0.0.1:{options.port}")
    app = build(
        settings,
        more=members_app(
            gateway_url=settings.gateway_url,
            member_token=demo["memberToken"],
            partner=settings.partner,
        ),
    )
    print(f"The member's app, from which one plays: http://127.0.0.1:{options.port}/app")  # noqa: T201
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


async def compare(settings: Settings, day: date) -> None:
    """Compare a day with the merchant, and say what differs."""
    store = Store(settings.folder / "wheelpark.db")
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        try:
            found = await reconcile(settings, store, Gateway(settings, http), day)
        except (NotYet, TryLater) as reason:
            raise SystemExit(str(reason)) from None
    print(f"{day}: {found.theirs} lines there, {found.mine} here")  # noqa: T201
    for one in found.differences:
        print(f"  {one['kind']} {one['externalId']}: {one['ours']} there, {one['theirs']} here")  # noqa: T201


async def ask_receipts(settings: Settings, external_ids: list[str]) -> None:
    """Say how wins stand with the merchant."""
    async with httpx.AsyncClient(timeout=20, trust_env=False) as http:
        gateway = Gateway(settings, http)
        keys = await gateway.public_keys()
        told = await gateway.query(RECEIPTS, externalIds=external_ids)
    for one in told["partner"]["receipts"]:
        good = receipt_is_signed(one, partner=settings.partner, keys=keys)
        print(  # noqa: T201
            f"{one['externalId']}: {one['status']} {one['code'] or ''}"
            f" ({'signed' if good else 'NOT signed by the merchant'})"
        )


def set_up(settings: Settings, *, staff_token: str, address: str) -> None:
    """Hand in the public key, for signatures and for tokens, and say where webhooks go.

    Everything can be done again: the same key and the same address change nothing.
    """
    with httpx.Client(
        base_url=settings.gateway_url,
        headers={"authorization": f"Bearer {staff_token}"},
        timeout=20,
        trust_env=False,
    ) as staff:

        def ask(document: str, **variables: Any) -> Any:
            answer = staff.post("/graphql", json={"query": document, "variables": variables}).json()
            if "errors" in answer:
                raise SystemExit(f"the gateway refused: {answer['errors']}")
            [payload] = answer["data"].values()
            if payload.get("userErrors"):
                raise SystemExit(f"the gateway refused: {payload['userErrors']}")
            return payload

        public = signing.public_text(settings.key)
        for kind in ("ED25519", "JWT"):
            ask(ADD_KEY, input={"code": settings.partner, "kind": kind, "publicKey": public})
        partner = ask(PARTNER, code=settings.partner)["partner"]
        hook = f"{address}/webhooks"
        if partner["webhookUrl"] != hook:
            values = {"code": settings.partner, "version": partner["version"], "webhookUrl": hook}
            ask(TELL, input=values)


if __name__ == "__main__":
    main()
