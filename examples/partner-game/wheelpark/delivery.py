"""Sending what was won, until each win has its receipt; and what visitors did."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import datetime
from typing import Any

from wheelpark import receipts
from wheelpark.gateway import PUSH, RECORD, Gateway, Refused, TryLater
from wheelpark.settings import Settings
from wheelpark.store import State, Store

log = logging.getLogger("wheelpark")

ITEMS_MAX = 500
IDLE_S = 0.5
BACK_OFF_S = (1, 2, 5, 15, 60)
AGAIN_AFTER_S = 600
BATCH_AGAIN_AFTER_S = (0, 5, 60, 600)
"""A batch without an answer goes out at once, then ever later, so that it never stops others."""

AGAIN = frozenset(
    {
        *("NOT_BOUND", "MEMBER_NOT_FOUND", "CAMPAIGN_CLOSED", "CAP_REACHED"),
        *("BUDGET_EXHAUSTED", "FUTURE_DATED", "ACCOUNT_FROZEN", "POINTS_OUT_OF_RANGE"),
    }
)
"""Codes of rejections that may succeed later, in a new batch and under the same id."""


class Delivery:
    """Takes turns until it is cancelled. It remembers nothing that the store does not hold."""

    def __init__(self, settings: Settings, store: Store, gateway: Gateway) -> None:
        self._settings = settings
        self._store = store
        self._gateway = gateway
        self._failures = 0

    async def run(self) -> None:
        """Send whatever there is, again and again."""
        while True:
            try:
                sent = await self.turn()
                self._failures = 0
                wait = 0.0 if sent else IDLE_S
            except TryLater as failure:
                longest = BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
                wait = failure.after_s or longest * random.uniform(0.5, 1)  # noqa: S311 - jitter
                self._failures += 1
                log.warning("the gateway is asked again in %.1f s: %s", wait, failure)
            except Exception:
                log.exception("a batch could not be sent")
                wait = BACK_OFF_S[-1]
            await asyncio.sleep(wait)

    async def turn(self) -> bool:
        """Send one batch of wins and one of events; whether there was any. Raises TryLater."""
        sent = await self._push()
        return await self._tell_events() or sent

    async def _push(self) -> bool:
        found = self._store.next_batch(
            items_max=ITEMS_MAX, campaign_id=self._settings.campaign_id, at=self._settings.clock()
        )
        if found is None:
            return False
        batch_id, items = found
        try:
            batch = await self._taken(batch_id, items)
        except Refused as refusal:
            log.error("batch %s (%d items) was refused whole: %s", batch_id, len(items), refusal)
            self._store.set_aside(batch_id, str(refusal))
            return True
        except TryLater as failure:
            tried = min(self._store.attempts(batch_id), len(BATCH_AGAIN_AFTER_S) - 1)
            again_at = self._settings.clock() + BATCH_AGAIN_AFTER_S[tried]
            self._store.not_answered(batch_id, str(failure), again_at=again_at)
            raise
        now = self._settings.clock()
        self._store.answered(
            batch_id,
            [_state(one, now=now) for one in batch["receipts"]],
            received_at=datetime.fromisoformat(batch["receivedAt"]),
        )
        log.info("batch %s: %s", batch_id, batch["counts"])
        return True

    async def _taken(self, batch_id: str, items: list[Any]) -> dict[str, Any]:
        """The answer to a batch, proved to be the gateway's. Raises TryLater, Refused."""
        payload = await self._gateway.mutate(PUSH, {"batchId": batch_id, "items": items})
        batch: dict[str, Any] | None = payload["batch"]
        if batch is None:
            told = "; ".join(f"{one['code']}: {one['message']}" for one in payload["userErrors"])
            if any(one["retryable"] for one in payload["userErrors"]):
                raise TryLater(told)
            raise Refused(told)
        keys = await self._gateway.public_keys()
        if not receipts.batch_is_signed(batch, partner=self._settings.partner, keys=keys):
            raise TryLater(f"the receipts of {batch_id} are not the gateway's")
        return batch

    async def _tell_events(self, *, count: int = ITEMS_MAX) -> bool:
        rows = self._store.unsent_events(count=count)
        if not rows:
            return False
        events = [
            {
                "externalId": row["external_id"],
                "campaignId": self._settings.campaign_id,
                "kind": row["kind"],
                "visitor": row["visitor"],
                "at": row["at"],
            }
            | ({"member": {"memberRef": row["member_ref"]}} if row["member_ref"] else {})
            for row in rows
        ]
        # Each event has its id for ever, so a batch that goes out twice counts once.
        values = {"batchId": f"events-{events[0]['externalId']}-{len(events)}", "events": events}
        try:
            refused = (await self._gateway.mutate(RECORD, values))["userErrors"]
        except Refused as refusal:
            refused = refusal
        # A batch is taken whole or not at all: where one of many is no good, it goes alone.
        if refused and len(rows) > 1:
            return await self._tell_events(count=1)
        if refused:
            log.warning("%s was refused: %s", events[0], refused)
        self._store.events_sent([row["external_id"] for row in rows])
        return True


def _state(receipt: dict[str, str | None], *, now: float) -> State:
    """What a receipt makes of its item. PENDING is what takes back a win that is not there yet."""
    external_id, code = str(receipt["externalId"]), receipt["code"]
    status = receipt["firstStatus"] or receipt["status"]
    if status == "REJECTED":
        if code in AGAIN:
            return external_id, "NEW", code, now + AGAIN_AFTER_S
        return external_id, "REJECTED", code, 0.0
    return external_id, str(status), None, 0.0
