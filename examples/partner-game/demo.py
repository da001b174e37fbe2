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
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from wheelpark import signing
from wheelpark.gateway import RECEIPTS, Gateway, Refused, TryLater
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

RETIRE_KEY = """
mutation RetirePartnerKey($input: RetirePartnerKeyInput!) {
  retirePartnerKey(input: $input) { key { id } userErrors { code message } }
}
"""

PARTNER = """
query Partner($code: String!) {
  staff { partner(code: $code) { version webhookUrl keys { id kind publicKey retiresAt } } }
}
"""

TELL = """
mutation ChangePartner($input: ChangePartnerInput!) {
  changePartner(input: $input) { partner { version webhookUrl } userErrors { code message } }
}
"""


KEYS_OF_A_KIND_MAX = 2


def main() -> None:
    """Set the demo's partner up as staff would, and serve the game and the member's app."""
    options = arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    demo = read_demo(options.demo)
    try:
        settings = Settings(
            gateway_url=demo["graphqlUrl"].removesuffix("/graphql"),
            partner=demo["partnerCode"],
            campaign_id=demo["gameCampaignId"],
            key=private_key(options.folder / "key.pem"),
            webhook_secret=demo["partnerSigningSecret"],
            folder=options.folder,
        )
        tokens = demo["staffToken"], demo["memberToken"]
    except KeyError as missing:
        raise SystemExit(f"{options.demo} lacks {missing}: run `make run` again.") from None
    try:
        if not asked(options, settings):
            serve(settings, tokens, port=options.port)
    except httpx.TransportError:
        raise SystemExit(
            f"No gateway answers at {settings.gateway_url}: start `make run` in another terminal,"
            " and wait until it serves."
        ) from None


def arguments() -> argparse.Namespace:
    """What was asked for at the command line."""
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
    given.add_argument("--take-back", metavar="ID", help="take the points of a win back")
    given.add_argument(
        "--set-aside", action="store_true", help="show the batches that were refused whole, and why"
    )
    given.add_argument("--send-again", metavar="BATCH", help="let one of them go out again")
    return given.parse_args()


def read_demo(file: Path) -> dict[str, str]:
    """What `make run` wrote for whoever tries things out."""
    try:
        demo: dict[str, str] = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise SystemExit(
            f"{file} is not there: start `make run` in another terminal, and wait until it serves."
        ) from None
    except ValueError:
        raise SystemExit(f"{file} cannot be read: run `make run` again.") from None
    return demo


def asked(options: argparse.Namespace, settings: Settings) -> bool:
    """Do what the options ask for; whether there was anything."""
    store = Store(settings.folder / "wheelpark.db")
    if options.reconcile is not None:
        asyncio.run(compare(settings, store, options.reconcile))
    elif options.receipts is not None:
        asyncio.run(ask_receipts(settings, options.receipts))
    elif options.take_back is not None:
        external_id = store.take_back(options.take_back)
        if external_id is None:
            raise SystemExit(f"{options.take_back} is no win whose points arrived.")
        print(f"{external_id} takes {options.take_back} back, as soon as the game is served.")  # noqa: T201
    elif options.set_aside:
        for one in store.batches_set_aside():
            print(f"{one.batch_id} ({', '.join(one.external_ids)}): {one.reason}")  # noqa: T201
    elif options.send_again is not None:
        if not store.send_again(options.send_again):
            raise SystemExit(f"{options.send_again} is no batch that was set aside.")
    else:
        return False
    return True


def serve(settings: Settings, tokens: tuple[str, str], *, port: int) -> None:
    """Take the platform in with the token of staff, and serve it beside the member's app."""
    staff_token, member_token = tokens
    set_up(settings, staff_token=staff_token, address=f"http://127.0.0.1:{port}")
    app = build(
        settings,
        more=members_app(
            gateway_url=settings.gateway_url,
            member_token=member_token,
            partner=settings.partner,
            is_ending=lambda: server.should_exit,
        ),
    )
    print(f"The member's app, from which one plays: http://127.0.0.1:{port}/app")  # noqa: T201
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    with suppress(KeyboardInterrupt):  # It has ended by then, as it was asked to.
        server.run()


async def compare(settings: Settings, store: Store, day: date) -> None:
    """Compare a day with the merchant, and say what differs."""
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        try:
            found = await reconcile(settings, store, Gateway(settings, http), day)
        except (NotYet, TryLater, Refused) as reason:
            raise SystemExit(str(reason)) from None
    print(f"{day}: {found.theirs} lines there, {found.mine} here")  # noqa: T201
    for one in found.differences:
        print(f"  {one['kind']} {one['externalId']}: {one['ours']} there, {one['theirs']} here")  # noqa: T201


async def ask_receipts(settings: Settings, external_ids: list[str]) -> None:
    """Say how wins stand with the merchant."""
    async with httpx.AsyncClient(timeout=20, trust_env=False) as http:
        gateway = Gateway(settings, http)
        try:
            keys = await gateway.public_keys()
            told = await gateway.query(RECEIPTS, externalIds=external_ids)
        except (TryLater, Refused) as reason:
            raise SystemExit(str(reason)) from None
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

        partner = ask(PARTNER, code=settings.partner)["partner"]
        public, now = signing.public_text(settings.key), datetime.now(UTC)
        for kind in ("ED25519", "JWT"):
            for key_id in in_the_way(partner["keys"], kind=kind, public_key=public, now=now):
                print(f"A {kind} key from before, which is not in {settings.folder}, is retired.")  # noqa: T201
                ask(RETIRE_KEY, input={"code": settings.partner, "keyId": key_id})
            ask(ADD_KEY, input={"code": settings.partner, "kind": kind, "publicKey": public})
        hook = f"{address}/webhooks"
        if partner["webhookUrl"] != hook:
            values = {"code": settings.partner, "version": partner["version"], "webhookUrl": hook}
            ask(TELL, input=values)


def in_the_way(
    keys: Sequence[Mapping[str, Any]], *, kind: str, public_key: str, now: datetime
) -> list[str]:
    """The ids of the keys that have to go before this one can be added: the older of its kind.

    `keys` are the partner's, the newest first. A game that lost its folder makes a new key each
    time, and a partner has two of a kind at most.
    """
    counting = [
        one
        for one in keys
        if one["kind"] == kind
        and (one["retiresAt"] is None or datetime.fromisoformat(one["retiresAt"]) > now)
    ]
    if any(one["publicKey"] == public_key for one in counting):
        return []
    return [one["id"] for one in counting[KEYS_OF_A_KIND_MAX - 1 :]]


if __name__ == "__main__":
    main()
