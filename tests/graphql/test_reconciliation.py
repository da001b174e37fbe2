"""Reconciling with a partner over the wire: the query, the file behind its link, the upload."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest
import pytest_asyncio

from domain import games
from domain.files import FileStore
from domain.games import ChangePartner, Reconciliation
from domain.program import program
from tests.domain.access.fixtures import OPERATOR
from tests.domain.games.books import Row, lines_of
from tests.graphql.gateway import NOW, Gateway
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.partners import Platform, private_key
from tests.graphql.test_push_rewards import Fair, open_fair

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY = "2026-03-01"
AFTERWARDS = {"hours": 6}
NDJSON = "application/x-ndjson"


@pytest_asyncio.fixture(loop_scope="module")
async def fair(gateway: Gateway) -> Fair:
    """A day is over on which something was pushed, and it is past two o'clock."""
    fair = await open_fair(gateway, "reconciled")
    await fair.push("b1", fair.item("a"), fair.item("b", 7), fair.item("c", 0))
    gateway.clock.advance(**AFTERWARDS)
    return fair


def store(gateway: Gateway) -> FileStore:
    return FileStore(gateway.files.folder / "reconciliation")


async def write(fair: Fair, day: str = DAY) -> Reconciliation:
    """As the job does, for this partner alone: others share the database."""
    made = await games.write_reconciliation(
        fair.platform.partner,
        date.fromisoformat(day),
        files=store(fair.gateway),
        zone=(await program()).zone,
        now=fair.gateway.clock.now(),
    )
    assert made is not None
    return made


async def ask(fair: Fair) -> Any:
    return (await fair.ask(operation("Reconciliation"), date=DAY))["reconciliation"]


async def fetch(gateway: Gateway, url: str, **headers: str) -> httpx.Response:
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}" == "https://jifen.example"
    return await gateway.http.get(f"{parts.path}?{parts.query}", headers=headers)


def digest_of(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


async def upload(
    platform: Platform,
    content: bytes | AsyncIterator[bytes],
    *,
    day: str = DAY,
    signed_day: str | None = None,
    declared: bytes | None = None,
    token: str | None = None,
    drop: str = "",
    secret: str | None = None,
    **headers: Any,
) -> httpx.Response:
    """A file, as a partner sends one that does as docs/reconciliation.md says; or nearly."""
    if declared is None:
        declared = content if isinstance(content, bytes) else b""
    digest = digest_of(declared)
    now = platform.gateway.clock.now()
    signed = f"{signed_day or day}.{digest}".encode()
    sent = {
        "authorization": f"Bearer {token or await platform.token()}",
        "content-type": NDJSON,
        "content-digest": digest,
        **platform.headers(signed, at=now, secret=secret),
        **headers,
    }
    return await platform.gateway.http.post(
        f"/partners/reconciliation/{day}",
        content=content,
        headers={name: value for name, value in sent.items() if name != drop},
    )


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["errors"][0]["extensions"]["code"]


async def rows_of(fair: Fair) -> list[Row]:
    """Our file, fetched."""
    answer = await fetch(fair.gateway, (await ask(fair))["downloadUrl"])
    return [orjson.loads(line) for line in answer.content.splitlines()]


async def test_the_operation_and_the_file(fair: Fair) -> None:
    assert await ask(fair) is None
    made = await write(fair)
    asked = await ask(fair)
    url = asked.pop("downloadUrl")
    assert asked == {
        "date": DAY,
        "count": 3,
        "points": 17,
        "sha256": made.sha256,
        "differences": {"nodes": []},
    }
    answer = await fetch(fair.gateway, url)
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() == made.sha256
    assert answer.headers["repr-digest"] == digest_of(answer.content)
    assert answer.headers["content-type"] == NDJSON
    assert answer.headers["cache-control"] == "no-store"
    named = f'attachment; filename="{fair.platform.code}-{DAY}.ndjson"'
    assert answer.headers["content-disposition"] == named
    rows = [orjson.loads(line) for line in answer.content.splitlines()]
    assert [(row["externalId"], row["status"], row["code"]) for row in rows] == [
        ("a", "APPLIED", None),
        ("b", "APPLIED", None),
        ("c", "REJECTED", "AMOUNT_INVALID"),
    ]
    part = await fetch(fair.gateway, url, range="bytes=0-9")
    assert (part.status_code, part.content) == (206, answer.content[:10])


async def test_what_differs_is_told(fair: Fair) -> None:
    made = await write(fair)
    rows = await rows_of(fair)
    right_file = lines_of(rows)
    rows[0]["points"] = 12
    sent = lines_of([rows[0], {**rows[1], "externalId": "bb"}])
    compared = await upload(fair.platform, sent)
    assert (compared.status_code, compared.json()) == (
        200,
        {
            "date": DAY,
            "sha256": hashlib.sha256(sent).hexdigest(),
            "comparedWith": made.sha256,
            "differences": {
                "total": 3,
                "kept": 3,
                "MISSING_HERE": 1,
                "MISSING_THERE": 1,
                "AMOUNT_MISMATCH": 1,
                "STATUS_MISMATCH": 0,
            },
        },
    )
    nodes = [
        ("a", "AMOUNT_MISMATCH", "GRANT 10 APPLIED", "GRANT 12 APPLIED"),
        ("b", "MISSING_THERE", "GRANT 7 APPLIED", None),
        ("bb", "MISSING_HERE", None, "GRANT 7 APPLIED"),
    ]
    assert (await ask(fair))["differences"]["nodes"] == [
        {"externalId": one, "kind": kind, "ours": ours, "theirs": theirs}
        for one, kind, ours, theirs in nodes
    ]
    # The same again, and then the right one, by the other kind of key.
    assert (await upload(fair.platform, sent)).json() == compared.json()
    right = await upload(fair.platform, right_file, secret=fair.platform.secret)
    assert right.json()["differences"]["total"] == 0
    assert (await ask(fair))["differences"]["nodes"] == []


async def test_differences_come_in_pages(fair: Fair) -> None:
    await write(fair)
    rows = await rows_of(fair)
    rows[0]["points"] = 12
    await upload(fair.platform, lines_of([rows[0], {**rows[1], "externalId": "bb"}]))
    pages = """query ($after: String) { partner { reconciliation(date: "2026-03-01") {
        differenceCount comparedAt differences(first: 2, after: $after) {
        nodes { externalId } pageInfo { hasNextPage endCursor } } } } }"""
    first = (await fair.ask(pages))["reconciliation"]
    assert first.pop("comparedAt") == "2026-03-01T18:00:00Z"
    after = first["differences"]["pageInfo"].pop("endCursor")
    assert first == {
        "differenceCount": 3,
        "differences": {
            "nodes": [{"externalId": "a"}, {"externalId": "b"}],
            "pageInfo": {"hasNextPage": True},
        },
    }
    second = (await fair.ask(pages, after=after))["reconciliation"]["differences"]
    assert second["nodes"] == [{"externalId": "bb"}]


async def test_the_link_is_good_for_a_quarter_of_an_hour_and_for_one_file(fair: Fair) -> None:
    made = await write(fair)
    url = (await ask(fair))["downloadUrl"]
    other = await open_fair(fair.gateway, "other-reconciled")
    of_other = await write(other)
    for wrong in (
        url.replace(str(made.id), str(of_other.id)),
        url.replace("until=1", "until=2"),
        url.replace("until=1", "until=1e"),
        url.replace("key=", "key=x"),
        url[:-4] + ("AAAA" if url[-4:] != "AAAA" else "BBBB"),
        url[:-4] + "%C3%A9",
        url.replace(str(made.id), "nothing"),
        url.partition("?")[0] + "?",
    ):
        assert code_of(await fetch(fair.gateway, wrong)) == (404, "NOT_FOUND"), wrong
    fair.gateway.clock.advance(minutes=14, seconds=59)
    assert (await fetch(fair.gateway, url)).status_code == 200
    fair.gateway.clock.advance(seconds=1)
    assert code_of(await fetch(fair.gateway, url)) == (404, "NOT_FOUND")
    url = (await ask(fair))["downloadUrl"]
    change = ChangePartner(
        code=fair.platform.code,
        version=fair.platform.partner.version,
        changes={"networks": ("198.51.100.0/24",)},
    )
    await games.change_partner(change, by=OPERATOR, now=NOW)
    assert code_of(await fetch(fair.gateway, url)) == (403, "NETWORK_FORBIDDEN")
    assert code_of(await upload(fair.platform, b"")) == (403, "NETWORK_FORBIDDEN")


async def test_the_link_of_who_is_disabled_leads_nowhere_at_once(fair: Fair) -> None:
    await write(fair)
    clock, code = fair.gateway.clock, fair.platform.code
    url = (await ask(fair))["downloadUrl"]
    clock.advance(minutes=1)
    await games.disable_partner(code, by=OPERATOR, now=clock.now())
    assert code_of(await fetch(fair.gateway, url)) == (404, "NOT_FOUND")
    await games.enable_partner(code, by=OPERATOR, now=clock.now())
    assert code_of(await fetch(fair.gateway, url)) == (404, "NOT_FOUND")
    url = (await ask(fair))["downloadUrl"]
    assert (await fetch(fair.gateway, url)).status_code == 200


REFUSED: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"drop": "authorization"}, (401, "UNAUTHENTICATED")),
    ({"drop": "webhook-signature"}, (401, "SIGNATURE_MISSING")),
    ({"drop": "content-digest"}, (400, "BAD_REQUEST")),
    ({"drop": "content-type"}, (415, "UNSUPPORTED_MEDIA_TYPE")),
    ({"content-encoding": "gzip"}, (415, "UNSUPPORTED_MEDIA_TYPE")),
    ({"content-digest": "sha-256=:AAAA:"}, (400, "BAD_REQUEST")),
    ({"signed_day": "2026-02-28"}, (401, "SIGNATURE_INVALID")),
    ({"webhook-timestamp": "1772380000"}, (401, "SIGNATURE_INVALID")),
    ({"declared": b"something else"}, (401, "SIGNATURE_INVALID")),
    ({"day": "2026-03-02"}, (404, "NOT_FOUND")),
    ({"day": "2026-02-31"}, (400, "BAD_USER_INPUT")),
    ({"day": "20260301"}, (400, "BAD_USER_INPUT")),
    ({"content-length": str(2**40)}, (413, "BODY_TOO_LARGE")),
]


async def test_a_file_that_is_refused_changes_nothing(fair: Fair) -> None:
    await write(fair)
    content = lines_of([(await rows_of(fair))[0]])
    before = await everything_kept()
    for how, expected in REFUSED:
        assert code_of(await upload(fair.platform, content, **how)) == expected, how
    assert await everything_kept() == before


async def test_it_must_be_signed_by_a_key_that_counts_and_just_now(fair: Fair) -> None:
    await write(fair)
    platform, signed = fair.platform, f"{DAY}.{digest_of(b'')}".encode()
    now = fair.gateway.clock.now()
    for headers, expected in (
        (platform.headers(signed, at=now, private=private_key(2)), "SIGNATURE_INVALID"),
        (platform.headers(b"", at=now), "SIGNATURE_INVALID"),
        (platform.headers(signed, at=now - timedelta(minutes=6)), "SIGNATURE_STALE"),
        (platform.headers(signed, at=now + timedelta(minutes=6)), "SIGNATURE_STALE"),
    ):
        how: dict[str, Any] = {**headers}
        assert code_of(await upload(platform, b"", **how)) == (401, expected)
    assert (await upload(platform, b"")).status_code == 200


async def test_a_partner_sends_one_file_at_a_time(fair: Fair) -> None:
    await write(fair)
    meanwhile: list[httpx.Response] = []

    async def slowly() -> AsyncIterator[bytes]:
        meanwhile.append(await upload(fair.platform, b""))
        yield b""

    first = await upload(fair.platform, slowly())
    assert [code_of(one) for one in meanwhile] == [(429, "RATE_LIMITED")]
    assert meanwhile[0].headers["retry-after"] == "5"
    assert (first.status_code, first.json()["differences"]["MISSING_THERE"]) == (200, 2)
    assert (await upload(fair.platform, b"")).status_code == 200, "the next may come"


async def test_only_a_partner_that_pushes_sends_files(fair: Fair) -> None:
    await write(fair)
    for token in (
        await fair.platform.token("rewards:read"),
        await fair.gateway.shop(),
        await fair.gateway.staff(),
        fair.alice.access_token,
    ):
        sent = await upload(fair.platform, b"", token=token)
        assert code_of(sent)[1] in {"FORBIDDEN", "UNAUTHENTICATED"}, token
    reads = 'query { partner { reconciliation(date: "2026-03-01") { sha256 } } }'
    answer = await fair.gateway.ask(reads, token=await fair.platform.token("rewards:write"))
    assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_another_partners_day_is_like_nothing(fair: Fair) -> None:
    await write(fair)
    other = await open_fair(fair.gateway, "stranger-reconciled")
    assert await ask(other) is None
    assert code_of(await upload(other.platform, b"")) == (404, "NOT_FOUND")


async def test_a_bad_line_is_named(fair: Fair) -> None:
    await write(fair)
    rows = await rows_of(fair)
    before = await everything_kept()
    response = await upload(fair.platform, lines_of([rows[1], rows[0]]))
    error = response.json()["errors"][0]
    error["extensions"].pop("requestId")
    assert (response.status_code, error) == (
        400,
        {
            "message": "Line 2: not sorted by externalId.",
            "extensions": {
                "code": "BAD_USER_INPUT",
                "line": 2,
                "rule": "not sorted by externalId",
            },
        },
    )
    assert await everything_kept() == before


async def test_a_file_may_be_longer_than_any_other_body(fair: Fair) -> None:
    made = await write(fair)
    refused = {"kind": "GRANT", "points": 1, "status": "REJECTED"}
    content = lines_of({"externalId": f"{number:09}", **refused} for number in range(20_000))
    assert len(content) > 1_048_576
    answer = await upload(fair.platform, content)
    assert answer.json()["differences"]["MISSING_THERE"] == 2
    assert answer.json()["comparedWith"] == made.sha256
