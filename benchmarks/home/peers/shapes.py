"""The page out of rows: plain dicts, in the order of the query."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from typing import Any

Row = Sequence[Any]


def global_id(text: str) -> str:
    """An id or a cursor as the gateway writes it."""
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def program(row: Row) -> dict[str, Any]:
    """The programme."""
    name, time_zone, currency = row
    return {"name": name, "timeZone": time_zone, "currency": currency}


def tier(levels: Sequence[Row], perks: Iterable[Row], *, joined_at: Any) -> dict[str, Any]:
    """Level, progress and perks."""
    first = levels[0]
    at = next((place for place, level in enumerate(levels) if level[0] == first[6]), 0)
    code, name, rank, threshold = levels[at][:4]
    since, keep_until, *window, kept = first[7:13]
    points, amount_fen, purchases = window
    above = levels[at + 1] if at + 1 < len(levels) else None
    return {
        "level": {"code": code, "name": name, "rank": rank, "threshold": threshold},
        "since": since if rank and since else joined_at,
        "keepUntil": keep_until if rank else None,
        "progress": {
            "qualifyingPoints": points,
            "nextLevel": {"code": above[0], "name": above[1]} if above else None,
            "pointsToNext": max(above[3] - points, 0) if above else None,
            "pointsToKeep": max(threshold - kept, 0),
            "windowEndsAt": keep_until if rank else None,
            "criteria": [
                {"kind": kind, "current": current, "required": required}
                for kind, current, required in (
                    ("QUALIFYING_POINTS", points, above[3] or None),
                    ("PURCHASE_AMOUNT", amount_fen, above[4]),
                    ("PURCHASES", purchases, above[5]),
                )
                if required is not None
            ]
            if above
            else [],
        },
        "perks": [
            {
                "id": global_id(f"Perk:{perk_id}"),
                "code": perk,
                "title": title,
                "description": description,
                "kind": kind,
                "value": value,
                "quota": quota,
                "remaining": None if quota is None else remaining,
                "resetsAt": None if quota is None else resets_at,
            }
            for perk_id, perk, title, description, kind, value, quota, remaining, resets_at in perks
        ],
    }


def points(row: Row | None, expiring: Iterable[Row]) -> dict[str, Any]:
    """The balance."""
    available, pending, held, debt = (0, 0, 0, 0) if row is None else row
    soon = [{"points": number, "expiresAt": expires_at} for number, expires_at in expiring]
    return {
        "available": available,
        "pending": pending,
        "held": held,
        "debt": debt,
        "expiringSoon": soon,
    }


def ledger(member: str, rows: Sequence[Row], first: int) -> dict[str, Any]:
    """A page of the journal; `rows` has one more where another page follows."""
    edges = [
        {
            "cursor": global_id(f'["entries",{seq}]'),
            "node": {
                "id": global_id(f"LedgerEntry:{member}:{seq}"),
                "kind": kind,
                "amount": amount,
                "balanceAfter": balance_after,
                "reason": reason,
                "occurredAt": effective_at,
                "source": {"kind": source, "reference": reference},
            },
        }
        for seq, kind, amount, balance_after, reason, effective_at, source, reference in rows[
            :first
        ]
    ]
    return {
        "edges": edges,
        "pageInfo": {
            "hasNextPage": len(rows) > first,
            "endCursor": edges[-1]["cursor"] if edges else None,
        },
    }


def coupons(member: str, rows: Iterable[Row]) -> dict[str, Any]:
    """The coupons that may be used."""
    nodes = [
        {
            "id": global_id(f"Coupon:{member}:{coupon_id}"),
            "code": code,
            "title": title,
            "status": "ACTIVE",
            "expiresAt": expires_at,
        }
        for coupon_id, code, title, expires_at in rows
    ]
    return {"nodes": nodes}


def recommendations(rows: Iterable[Row], *, currency: str) -> dict[str, Any]:
    """The most bought products."""
    items = [
        {
            "rank": rank,
            "score": score,
            "shelf": "POPULAR",
            "product": {
                "id": global_id(f"Product:{product_id}"),
                "title": title,
                "imageUrl": image_url,
                "theme": None if theme is None else {"code": theme, "name": theme_name},
                "price": None if price_fen is None else {"amount": price_fen, "currency": currency},
            },
            "reasons": [],
        }
        for rank, (score, product_id, title, image_url, theme, theme_name, price_fen) in enumerate(
            rows, 1
        )
    ]
    return {"personalized": False, "items": items}
