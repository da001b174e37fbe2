"""Long lists as Relay connections with keyset cursors.

`first` is 1 to 100, 20 when it is left out or null; anything else is the top-level error
BAD_USER_INPUT. A cursor is the item's key, opaque and tagged with its list: one that was made up or
belongs to another list is the top-level error BAD_CURSOR. Cursors hold no secret and grant nothing:
the query behind them filters by owner all the same.

    ENTRIES = KeysetList("entries", (int,))

    @computed(OWNER)
    async def ledger(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[LedgerEntry]:
        \"\"\"Newest first.\"\"\"
        request = ENTRIES.request(first=first, after=after)
        return ENTRIES.connection(await resolvers.ledger.entries(info.context, request), request)
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar
from uuid import UUID

import orjson

from domain.paging import Key, KeyPart, Page, PageRequest
from schema.faults import CodedError, FaultCode
from schema.fields import argument, object_type
from schema.policies import PUBLIC

FIRST_DEFAULT: Final = 20
FIRST_MAX: Final = 100
CURSOR_LENGTH_MAX: Final = 500
WHOLE_NUMBER_BITS: Final = 63

First: TypeAlias = Annotated[int | None, argument("How many items, 1 to 100.")]
After: TypeAlias = Annotated[
    str | None, argument("Begin after this cursor, `endCursor` of the page before.")
]

N = TypeVar("N")


@object_type(policy=PUBLIC)
class PageInfo:
    """Where a page stands in its list."""

    has_next_page: bool
    """Whether more items follow."""

    has_previous_page: bool
    """Whether the page was asked for by a cursor, so that items come before it."""

    start_cursor: str | None
    """The cursor of the first item; null on an empty page."""

    end_cursor: str | None
    """The cursor of the last item; null on an empty page."""


@object_type(policy=PUBLIC)
class Edge(Generic[N]):
    """An item of a list with its cursor."""

    cursor: str
    """Where the item stands; give it as `after`."""

    node: N
    """The item."""


@object_type(policy=PUBLIC)
class Connection(Generic[N]):
    """A page of a list."""

    edges: list[Edge[N]]
    """The items with their cursors."""

    nodes: list[N]
    """The items."""

    page_info: PageInfo
    """Where the page stands in its list."""


def _read_moment(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


def _read_whole_number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    if value.bit_length() > WHOLE_NUMBER_BITS:
        raise OverflowError
    return value


def _read_text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    return value


# The database would refuse what is out of its range, so nothing of the kind may reach it.
_READERS: Final[dict[type, Callable[[Any], KeyPart]]] = {
    int: _read_whole_number,
    str: _read_text,
    datetime: _read_moment,
    date: date.fromisoformat,
    UUID: UUID,
}


def checked_first(first: int | None) -> int:
    """How many items are asked for. Raises CodedError for less than 1 or more than 100."""
    count = FIRST_DEFAULT if first is None else first
    if not 1 <= count <= FIRST_MAX:
        message = f"`first` must be between 1 and {FIRST_MAX}."
        raise CodedError(FaultCode.BAD_USER_INPUT, message, argument="first")
    return count


@dataclass(frozen=True, slots=True)
class KeysetList:
    """A list with its cursors: `tag` names the list, `parts` are the types of its key.

    Changing the key of a list is changing its tag, so that old cursors are refused.
    """

    tag: str
    parts: tuple[type, ...]

    def request(self, *, first: int | None, after: str | None) -> PageRequest:
        """What the domain is asked for. Raises CodedError for a bad `first` or cursor."""
        count = checked_first(first)
        return PageRequest(first=count, after=None if after is None else self.key(after))

    def connection(self, page: Page[Any], request: PageRequest) -> Connection[Any]:
        """The page as the schema gives it; its items are read by the type of the connection."""
        cursors = [self.cursor(key) for key in page.keys]
        return Connection(
            edges=[
                Edge(cursor=cursor, node=item)
                for cursor, item in zip(cursors, page.items, strict=True)
            ],
            nodes=list(page.items),
            page_info=PageInfo(
                has_next_page=page.has_next,
                has_previous_page=request.after is not None,
                start_cursor=cursors[0] if cursors else None,
                end_cursor=cursors[-1] if cursors else None,
            ),
        )

    def cursor(self, key: Key) -> str:
        """The cursor of the item with this key."""
        plain = orjson.dumps([self.tag, *key])
        return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()

    def key(self, cursor: str, *, argument: str = "after") -> Key:
        """The key behind a cursor of this list. Raises CodedError for any other text."""
        try:
            if len(cursor) > CURSOR_LENGTH_MAX:
                raise ValueError
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            tag, *parts = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            if tag != self.tag:
                raise ValueError
            return tuple(_READERS[kind](part) for kind, part in zip(self.parts, parts, strict=True))
        except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error):
            message = "The cursor is not one of this list's."
            raise CodedError(FaultCode.BAD_CURSOR, message, argument=argument) from None
