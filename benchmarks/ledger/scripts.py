"""pgbench scripts from recorded statements: the same SQL, the values that must differ varied.

A posting is recorded on an account whose counters stand at numbers that occur nowhere else; where
they appear among the values, the script puts what it has read under the lock. The ids of what is
made, and the keys, come from a random number of the script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from benchmarks.ledger.recording import Sent

VERSION: Final = 424_241
LOTS: Final = 535_352
"""Where the counters of the recorded account stand."""

KEY: Final = "the-key-of-the-recording"
"""Occurs in whatever text is to differ."""

_COUNTERS: Final = {
    VERSION: ":version::bigint",
    VERSION + 1: ":version::bigint + 1",
    LOTS: ":lots::bigint",
    LOTS + 1: ":lots::bigint + 1",
}
_READS_COUNTERS: Final = re.compile(r"\bversion\b.*\bFROM points_account\b.*FOR NO KEY UPDATE")
_PLACE: Final = re.compile(r"\$(\d+)")


def member_id(number: int) -> UUID:
    """The member with this number."""
    return UUID(int=number)


_MEMBER: Final = "lpad(to_hex(:member::bigint), 32, '0')::uuid"
RECORDED: Final = (member_id(1), member_id(2), member_id(3))
"""Whose postings are recorded: one posting of each."""


def script_of(sent: Sequence[Sent], *, members: range) -> str:
    """A script that does with a random one of the members what was recorded."""
    statements = [_rendered(one.sql, [_varied(value) for value in one.values]) for one in sent]
    return "\n".join(
        [
            f"\\set member random({members.start}, {members.stop - 1})",
            "\\set key random(1, 9000000000000000)",
            "BEGIN;",
            *(f"{sql} \\gset" if _READS_COUNTERS.search(sql) else f"{sql};" for sql in statements),
            "COMMIT;",
            "",
        ]
    )


def exact_script_of(batches: Sequence[Sequence[Sent]]) -> str:
    """A script that sends exactly what was recorded, batch after batch."""
    lines = []
    for sent in batches:
        statements = (_rendered(one.sql, [_exact(value) for value in one.values]) for one in sent)
        lines += ["BEGIN;", *(f"{sql};" for sql in statements), "COMMIT;"]
    return "\n".join([*lines, ""])


def _rendered(sql: str, values: Sequence[str]) -> str:
    """The statement on one line, with its values in their places."""
    line = " ".join(re.sub(r"--[^\n]*", "", sql).split())
    return _PLACE.sub(lambda found: values[int(found[1]) - 1], line)


def _varied(value: Any) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return f"(ARRAY[{', '.join(_varied(one) for one in value)}])"
    if isinstance(value, UUID):
        return _MEMBER if value in RECORDED else "md5(:key::text)::uuid"
    if isinstance(value, int) and not isinstance(value, bool) and value in _COUNTERS:
        return f"({_COUNTERS[value]})"
    if isinstance(value, str) and KEY in value:
        return "(" + " || :key::text || ".join(_exact(part) for part in value.split(KEY)) + ")"
    return _exact(value)


def _exact(value: Any) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return f"(ARRAY[{', '.join(_exact(one) for one in value)}])"
    match value:
        case None:
            literal = "NULL"
        case bool() | int():
            literal = str(value).lower()
        case bytes():
            literal = f"'\\x{value.hex()}'::bytea"
        case UUID():
            literal = f"'{value}'::uuid"
        case datetime():
            literal = f"'{value.astimezone(UTC):%Y%m%dT%H%M%S.%f}+00'::timestamptz"
        case _:
            # What follows a colon would be taken for the name of a variable of the script's.
            text = str(value).replace("'", "''").replace(":", "' || chr(58) || '")
            literal = f"('{text}')"
    return literal
