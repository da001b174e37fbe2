"""The lines of a day's file, ours and a partner's: NDJSON, sorted by `externalId`. Pure.

A line is a JSON object for itself: there is one way to write it, no quoting and no encoding to
guess, and line 7 is line 7 whatever an id is made of. The order is that of the bytes of the ids in
UTF-8. Of a partner's line `externalId`, `kind`, `points` and `status` are read, and all else is
passed over, so our own file may be sent as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import orjson

from domain.games.reward_items import (
    ID_CHARACTERS_MAX,
    KeptItem,
    RewardItemKind,
    RewardStatus,
)
from domain.ledger import POINTS_MAX
from domain.texts import is_storable

LINE_BYTES_MAX: Final = 4_096

_HAVE_EFFECT: Final = frozenset({RewardStatus.APPLIED, RewardStatus.PENDING})


class LineRefused(ValueError):
    """Raised when a line of a partner's file breaks a rule; lines are counted from 1."""

    def __init__(self, line: int, rule: str) -> None:
        super().__init__(f"line {line}: {rule}")
        self.line = line
        self.rule = rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one side says of an item."""

    external_id: str
    kind: RewardItemKind
    points: int
    status: RewardStatus

    @property
    def has_effect(self) -> bool:
        """Whether it took effect, or waits to. Of others the other side need not know."""
        return self.status in _HAVE_EFFECT

    @property
    def key(self) -> bytes:
        """What lines are sorted by."""
        return self.external_id.encode()

    @property
    def told(self) -> str:
        """What this side has, in words for whoever reads of a difference."""
        return f"{self.kind} {self.points} {self.status}"


def line_of(kept: KeptItem) -> Line:
    """What we say of an item."""
    return Line(
        external_id=kept.external_id, kind=kept.kind, points=kept.points, status=kept.status
    )


def net_points(kept: KeptItem) -> int:
    """What the item came to: granted points, or less than nothing for those taken back."""
    if kept.status is not RewardStatus.APPLIED:
        return 0
    return kept.points if kept.kind is RewardItemKind.GRANT else -kept.points


def sortable(kept: KeptItem) -> bytes:
    """The line of our file for an item, behind what sorts it; `written` takes that off again."""
    told = {
        "externalId": kept.external_id,
        "kind": kept.kind,
        "points": kept.points,
        "occurredAt": kept.occurred_at,
        "receivedAt": kept.received_at,
        "status": kept.status,
        "code": kept.code,
        "reversesExternalId": kept.reverses,
    }
    # In hexadecimal an id sorts as its bytes do, and the blank before whatever is longer.
    sorts_as = kept.external_id.encode().hex().encode()
    return sorts_as + b" " + orjson.dumps(told, option=orjson.OPT_UTC_Z)


def written(line: bytes) -> bytes:
    """The line as it stands in the file, with its end."""
    return line.partition(b" ")[2] + b"\n"


def read_lines(file: BinaryIO) -> Iterator[Line]:
    """The lines of a file, one at a time. Raises LineRefused, also for one that is out of order."""
    before = b""
    number = 0
    while text := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(text) > LINE_BYTES_MAX:
            raise LineRefused(number, f"a line has {LINE_BYTES_MAX} bytes at most")
        line = _line(text, number)
        if line.key <= before:
            rule = "this id comes twice" if line.key == before else "not sorted by externalId"
            raise LineRefused(number, rule)
        before = line.key
        yield line


def _line(text: bytes, number: int) -> Line:
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise LineRefused(number, "not JSON in UTF-8") from None
    if not isinstance(told, dict):
        raise LineRefused(number, "not a JSON object")
    external_id, points = told.get("externalId"), told.get("points")
    if not isinstance(external_id, str) or not is_storable(
        external_id, characters_max=ID_CHARACTERS_MAX
    ):
        raise LineRefused(number, f"externalId must be a text of 1 to {ID_CHARACTERS_MAX}")
    if not isinstance(points, int) or isinstance(points, bool) or abs(points) > POINTS_MAX:
        raise LineRefused(number, "points must be a whole number")
    return Line(
        external_id=external_id,
        kind=RewardItemKind(_one_of(told, "kind", RewardItemKind, number)),
        points=points,
        status=RewardStatus(_one_of(told, "status", RewardStatus, number)),
    )


def _one_of(
    told: dict[str, Any], name: str, words: type[RewardItemKind] | type[RewardStatus], number: int
) -> str:
    value = told.get(name)
    if not isinstance(value, str) or value not in set(words):
        raise LineRefused(number, f"{name} must be one of {', '.join(words)}")
    return value
