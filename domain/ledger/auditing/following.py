"""Following one account's journal from entry to entry: pure, no I/O.

It knows the contract (the table of kinds, the form of the hashed content) and nothing of the code
that wrote the rows.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime
from itertools import product
from typing import Final
from uuid import UUID

import orjson

from domain.storage import Row

FOUND_MAX: Final = 20
"""What is told of one account: one altered entry may spoil all that follow it."""

_SIGNS: Final = {"+": (1,), "-": (-1,), "0": (0,), ">": (0, 1), "<": (-1, 0), "*": (-1, 0, 1)}

# What may change, and in which direction: amount, available, pending, held, debt.
_KINDS: Final[dict[str, tuple[str, ...]]] = {
    "EARN": ("+>>0<",),
    "MATURE": (">><0<",),
    "REDEEM": ("--000",),
    "EXPIRE": ("--000", "-0-00"),
    "HOLD": ("--0+0",),
    "CAPTURE": ("->0-<",),
    "RELEASE": ("+>0-<",),
    "REVERSAL": ("+>00<", "-<<0>"),
    "TRANSFER_IN": ("+>00<",),
    "TRANSFER_OUT": ("--000",),
    "ADJUST": ("+>00<", "--000"),
    "MERGE_IN": ("*****",),
    "MERGE_OUT": ("*****",),
}
_ALLOWED: Final = {
    kind: frozenset(signs for form in forms for signs in product(*(_SIGNS[one] for one in form)))
    for kind, forms in _KINDS.items()
}
_NEUTRAL: Final = frozenset({"MATURE", "HOLD", "RELEASE"})
"""Kinds that change nothing of what the member owns."""

_BALANCES: Final = ("available", "pending", "held", "debt")


class Account:
    """One account's row, and where the following of its journal stands.

    `since` is the entry after which it begins: that of an earlier mark, else 0.
    """

    __slots__ = (
        "_amounts",
        "_counts",
        "_due",
        "_read",
        "_recorded_at",
        "balances",
        "found",
        "head",
        "row",
        "seq",
        "since",
    )

    def __init__(self, row: Row, *, since: Row | None) -> None:
        self.row = row
        self.since: int = since["seq"] if since else 0
        self.seq = self.since
        self.head = bytes(since["hash"]) if since else bytes(32)
        self.balances: list[int] = [since[name] if since else 0 for name in _BALANCES]
        self.found: list[tuple[str, str]] = []
        self._read = 0
        self._recorded_at: datetime | None = None
        self._due: datetime | None = None
        self._counts: Counter[str] = Counter()
        self._amounts: Counter[str] = Counter()

    @property
    def member_id(self) -> UUID:
        """Whose it is."""
        member_id: UUID = self.row["member_id"]
        return member_id

    def tell(self, rule: str, detail: str) -> None:
        """Note a violation; only so many are kept."""
        if len(self.found) < FOUND_MAX:
            self.found.append((rule, detail))

    def follow(self, row: Row) -> None:
        """Check the next entry of the journal."""
        self._read += 1
        seq = row["seq"]
        if seq != self.seq + 1:
            self.tell("gapless", f"entry {seq} comes after entry {self.seq}")
        self.seq = seq
        self._check_changes(row)
        recorded_at = row["recorded_at"]
        if self._recorded_at is not None and recorded_at < self._recorded_at:
            self.tell("recorded", f"entry {seq} was recorded before the one before it")
        self._recorded_at = recorded_at
        content = hashlib.sha256(_content(row)).digest()
        head = hashlib.sha256(self.head + content).digest()
        if row["content_hash"] != content or row["hash"] != head:
            self.tell("chain", f"entry {seq} does not match its hashes")
            head = bytes(row["hash"])
        self.head = head
        if row["salt"] is not None and row["text_commitment"] != _commitment(row):
            # Without a salt the words were erased, and nothing can be told about them.
            self.tell("texts", f"the texts of entry {seq} were changed")

    def _check_changes(self, row: Row) -> None:
        seq, kind, amount = row["seq"], row["kind"], row["amount"]
        changes = (
            row["available_change"],
            row["pending_change"],
            row["held_change"],
            row["debt_change"],
        )
        signs = tuple((one > 0) - (one < 0) for one in (amount, *changes))
        if signs not in _ALLOWED.get(kind, ()):
            self.tell("kind", f"entry {seq} moves what {kind} does not")
        net = changes[0] + changes[1] + changes[2] - changes[3]
        if net != (0 if kind in _NEUTRAL else amount):
            self.tell("net", f"entry {seq} of {amount} changes what is owned by {net}")
        balances = self.balances = [
            balance + change for balance, change in zip(self.balances, changes, strict=True)
        ]
        if row["balance_after"] != balances[0]:
            self.tell("balance_after", f"entry {seq} says {row['balance_after']}")
        if min(balances) < 0 or (balances[0] > 0 and balances[3] > 0):
            self.tell("range", f"after entry {seq} the balances are {balances}")
        self._counts[kind] += 1
        self._amounts[kind] += amount

    def compare_lots(self, *, matured: int, pending: int, pinned: int) -> None:
        """Compare the balances with what remains of the lots."""
        row = self.row
        if matured != row["available"] + row["held"]:
            self.tell("lots", f"matured lots hold {matured}")
        if pending != row["pending"]:
            self.tell("pending lots", f"pending lots hold {pending}")
        if pinned != row["held"]:
            self.tell("held", f"held is {row['held']}, lots are pinned for {pinned}")

    def compare_lot_count(self, *, lots: int, newest: int) -> None:
        """Compare how many lots there are with how many were made."""
        if not lots == newest == self.row["lots"]:
            self.tell("lot count", f"{self.row['lots']} lots were made, {lots} are there")

    def compare_held(self, held: int) -> None:
        """Compare the balance with what open holds hold."""
        if held != self.row["held"]:
            self.tell("held", f"held is {self.row['held']}, open holds sum to {held}")

    def due_by(self, moment: datetime | None) -> None:
        """Something changes by itself at this moment: the account must know."""
        if moment is not None and moment < self.row["next_change_at"]:
            self.tell("next change", f"something is due {moment.isoformat()}, unknown to it")

    def close(self) -> None:
        """Compare what was followed with the account, at the journal's end."""
        row = self.row
        for name, total in zip(_BALANCES, self.balances, strict=True):
            if total != row[name]:
                self.tell("sum", f"{name} is {row[name]}, its changes sum to {total}")
        if row["version"] != self.since + self._read:
            self.tell("version", f"version {row['version']}, {self.since + self._read} entries")
        if bytes(row["head_hash"]) != self.head:
            self.tell("head", "the account's head is not the last entry's hash")

    def compare_holds(
        self, *, holds: tuple[int, int], captures: tuple[int, int], releases: int
    ) -> None:
        """Compare the entries of holds with the holds: how many, and for how much."""
        counts, amounts = self._counts, self._amounts
        entered = (
            (counts["HOLD"], -amounts["HOLD"]),
            (counts["CAPTURE"], -amounts["CAPTURE"]),
            counts["RELEASE"],
        )
        if entered != (holds, captures, releases):
            self.tell("holds", f"entries say {entered}, holds {(holds, captures, releases)}")


def _content(row: Row) -> bytes:
    """The canonical JSON that an entry's hash covers: keys in order, no white space."""
    return orjson.dumps(
        {
            "amount": row["amount"],
            "available": row["available_change"],
            "balanceAfter": row["balance_after"],
            "debt": row["debt_change"],
            "effectiveAt": _moment_text(row["effective_at"]),
            "held": row["held_change"],
            "kind": row["kind"],
            "member": str(row["member_id"]),
            "pending": row["pending_change"],
            "recordedAt": _moment_text(row["recorded_at"]),
            "reverses": row["reverses"],
            "seq": row["seq"],
            "source": row["source_kind"],
            "texts": row["text_commitment"].hex(),
        }
    )


def _commitment(row: Row) -> bytes:
    words = {"note": row["note"], "reason": row["reason"], "reference": row["reference"]}
    return hashlib.sha256(row["salt"] + orjson.dumps(words)).digest()


def _moment_text(moment: datetime) -> str:
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
