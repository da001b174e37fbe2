"""A person of whom everything that can be said has been said, in words that stand nowhere else.

Whatever the programme lets a person write, or others write about them, is written here through the
doors of the gateway, with the canary in it. An erasure must leave nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from domain.storage import dialect, fetch_all
from tests.graphql.gateway import Gateway, Session
from tests.graphql.kept import TABLES
from tests.graphql.points import earn

WORD: Final = "qz7canary"
BIRTHDAY: Final = "1987-06-05"
TRACES: Final = (WORD, BIRTHDAY)

PLANTED: Final = {
    "account_deletion.reason",
    "member.avatar_url",
    "member.birthday",
    "member.nickname",
    "member.preferred_channel",
    "member_identity.subject",
    "outbox.payload",
    "points_adjustment.reason",
    "points_entry_text.note",
    "points_entry_text.reason",
}
"""Where it is found before the erasure: a place that is not filled proves nothing of it."""


async def live(gateway: Gateway, bob: Session) -> Session:
    """The person's life; `bob` is another, who keeps what is his."""
    code = await gateway.login(f"o-{WORD}", unionid=f"u-{WORD}")
    given = {"appId": "wxjifendemo0000001", "code": code, "inviteCode": f"i-{WORD}"}
    signed_in = (await gateway.send("SignInWithWeChat", input=given))["session"]
    person = await gateway.sign_in(f"o-{WORD}", unionid=f"u-{WORD}")
    assert person.member_id == signed_in["member"]["id"]
    token = person.access_token
    profile = {
        "nickname": f"昵称 {WORD}",
        "avatarUrl": f"https://img.jifen.example/{WORD}.png",
        "birthday": BIRTHDAY,
        "gender": "female",
        "preferredChannel": WORD,
    }
    await done(gateway, "UpdateProfile", token, profile)
    await done(gateway, "SetInterests", token, {"themes": ["tea"]})
    await earn(gateway, person, 1_200)
    gift = {
        "toMember": {"id": bob.member_id},
        "points": 100,
        "note": f"from {WORD}",
        "idempotencyKey": "gift",
    }
    await done(gateway, "TransferPoints", token, gift)
    clerk = await gateway.staff()
    correction = {
        "member": {"id": person.member_id},
        "points": 5,
        "reason": f"she is {WORD}",
        "idempotencyKey": gateway.named("adjust"),
    }
    await done(gateway, "AdjustPoints", clerk, correction)
    leaving = {"reason": f"{WORD} leaves", "idempotencyKey": "leave"}
    await done(gateway, "RequestAccountDeletion", token, leaving)
    return person


async def done(gateway: Gateway, name: str, token: str, given: dict[str, Any]) -> Any:
    """Send a planned operation that is not refused."""
    answer = await gateway.send(name, token, input=given)
    assert answer["userErrors"] == [], (name, answer)
    return answer


async def found(*traces: str) -> set[str]:
    """The columns, `table.column`, in which one of the traces stands, over all tables."""
    tables = [row["name"] for row in await fetch_all(TABLES[dialect()])]
    assert len(tables) > 40, tables
    return {
        f"{table}.{column}"
        for table in tables
        for row in await fetch_all(f"SELECT * FROM {table}")
        for column, value in dict(row).items()
        if any(trace in text(value) for trace in traces)
    }


def text(value: object) -> str:
    """A value as it can be searched: bytes both as they are and in hex."""
    if isinstance(value, bytes | memoryview):
        return f"{bytes(value).decode('latin-1')} {bytes(value).hex()}"
    return str(value)


def files_with(folders: Iterable[Path], *traces: str) -> tuple[int, set[str]]:
    """How many files there are in the folders, and the names of those that hold a trace."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return len(files), {
        path.name
        for path in files
        for content in [path.read_bytes()]
        if any(trace.encode() in content for trace in traces)
    }
