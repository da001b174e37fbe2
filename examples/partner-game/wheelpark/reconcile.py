"""Comparing a day with the merchant: fetch their file, send ours, learn what differs."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from wheelpark.gateway import Gateway, TryLater
from wheelpark.settings import Settings
from wheelpark.store import Line, Store

DAY = """
query Reconciliation($date: Date!) {
  program { timeZone }
  partner {
    reconciliation(date: $date) {
      date count points sha256 downloadUrl
      differences(first: 100) { nodes { externalId kind ours theirs } }
    }
  }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What came of comparing a day: how many lines each side has, and the first differences."""

    theirs: int
    mine: int
    differences: list[dict[str, Any]]


class NotYet(Exception):
    """Raised while the merchant's file of the day is not there."""


async def reconcile(settings: Settings, store: Store, gateway: Gateway, day: date) -> Reconciled:
    """Compare a day of the programme's time zone. Raises NotYet, TryLater."""
    told = await gateway.query(DAY, date=day.isoformat())
    theirs = told["partner"]["reconciliation"]
    if theirs is None:
        raise NotYet(f"the file of {day} is written after two o'clock of the next day")
    content = await gateway.download(theirs["downloadUrl"])
    if hashlib.sha256(content).hexdigest() != theirs["sha256"]:
        raise TryLater("the file was cut off on its way")

    zone = ZoneInfo(told["program"]["timeZone"])
    begins, ends = (
        datetime.combine(one, time(), tzinfo=zone).astimezone(UTC)
        for one in (day, day + timedelta(days=1))
    )
    mine = b"".join(lines(store.received_between(begins, ends)))
    await gateway.upload(f"/partners/reconciliation/{day}", mine, signed=f"{day}.{digest(mine)}")
    told = await gateway.query(DAY, date=day.isoformat())
    nodes = told["partner"]["reconciliation"]["differences"]["nodes"]
    return Reconciled(theirs=content.count(b"\n"), mine=mine.count(b"\n"), differences=nodes)


def lines(received: Iterable[Line]) -> list[bytes]:
    """The file, line by line, sorted by the bytes of the ids."""
    found = []
    for one in sorted(received, key=lambda line: line.external_id.encode()):
        told = {
            "externalId": one.external_id,
            "kind": one.kind,
            "points": one.points,
            "status": _status(one),
        }
        found.append(json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
    return found


def _status(line: Line) -> str:
    if line.state == "PENDING":
        return "PENDING"
    # What was refused for now waits to be sent again, with its code. A grant that was taken back
    # was applied, and stays so: what took it back has a line of its own.
    return "APPLIED" if line.code is None else "REJECTED"


def digest(content: bytes) -> str:
    """The value of `Content-Digest` (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"
