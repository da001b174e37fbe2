"""Files over the wire: what is taken, what is refused, who gets it back, what is left behind."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from domain import feedback
from tests.domain.feedback.pictures import (
    PROGRAM,
    archive,
    archive_inside,
    jpeg_with,
    picture,
    sized,
)
from tests.graphql.desk import open_desk, submitted
from tests.graphql.gateway import Gateway, global_id, plain_id
from tests.graphql.uploading import (
    code_of,
    endless,
    everything_left,
    fetch,
    offered_name,
    store,
    stored,
    upload,
    uploaded,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEGABYTE = 1024 * 1024


async def test_a_picture_is_taken_and_given_back(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    answer = await upload(gateway, token=alice.access_token, name="破损的杯子.JPEG")
    assert answer.status_code == 201
    told = answer.json()
    assert told == {
        "id": told["id"],
        "name": "破损的杯子.jpg",
        "mediaType": "image/jpeg",
        "bytes": told["bytes"],
        "width": 32,
        "height": 24,
    }
    kind, _, key = plain_id(told["id"]).partition(":")
    assert kind == "Attachment"
    assert f"{key}.jpg" in stored(gateway)
    got = await fetch(gateway, told["id"], token=alice.access_token)
    assert got.status_code == 200
    assert len(got.content) == told["bytes"]
    assert got.headers["content-type"] == "image/jpeg"
    assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["cache-control"] == "private, no-store"
    assert got.headers["content-disposition"].startswith("attachment; ")
    assert offered_name(got) == "破损的杯子.jpg"


async def test_what_it_says_to_be_counts_for_nothing(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    answer = await upload(
        gateway, picture("PNG"), token=alice.access_token, name="a.exe", media_type="text/html"
    )
    assert (answer.json()["mediaType"], answer.json()["name"]) == ("image/png", "a.png")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../../etc/passwd", "passwd.jpg"),
        ("..\\..\\windows\\system32\\cmd.exe.jpg", "cmd.jpg"),
        ("C:evil.jpg", "evil.jpg"),
        ("/dev/null", "null.jpg"),
        ("..", "image.jpg"),
        ("....//", "image.jpg"),
        ("a\u202egpj.exe", "agpj.jpg"),
        ("\u200b", "image.jpg"),
        ("<b>%00&.svg", "b00&.jpg"),
        ("x" * 300 + ".png", "x" * 96 + ".jpg"),
        ("", None),
    ],
)
async def test_no_name_leads_anywhere(gateway: Gateway, sent: str, kept: str | None) -> None:
    alice = await gateway.sign_in()
    folder, before = gateway.files.folder, set(stored(gateway))
    around = sorted(map(str, folder.parent.rglob("*")))
    answer = await upload(gateway, token=alice.access_token, name=sent)
    if kept is None:
        # A part without a name is no file.
        assert code_of(answer) == (400, "BAD_REQUEST")
        return
    assert (answer.status_code, answer.json()["name"]) == (201, kept)
    (new,) = set(stored(gateway)) - before
    assert new == plain_id(answer.json()["id"]).partition(":")[2] + ".jpg"
    own = str(folder / "attachments")
    made = set(map(str, folder.parent.rglob("*"))) - set(around)
    assert made <= {str(folder), own, f"{own}/{new}"}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (PROGRAM, "type"),
        (b"", "type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "type"),
        (b"%PDF-1.7 whatever", "type"),
        (picture()[:200], "broken"),
        (picture() + archive(), "more than an image"),
        (picture("PNG") + b"<?php system($_GET['c']);", "more than an image"),
        (archive_inside(), "more than an image"),
        (jpeg_with(b"<html><script>alert(1)</script>"), "more than an image"),
        (sized(65_535, 65_535), "too many pixels"),
    ],
)
async def test_a_file_of_no_use_leaves_nothing(gateway: Gateway, content: bytes, rule: str) -> None:
    alice = await gateway.sign_in()
    before = await everything_left(gateway)
    answer = await upload(gateway, content, token=alice.access_token)
    assert code_of(answer) == (415, "FILE_REFUSED")
    assert answer.json()["errors"][0]["extensions"]["rule"] == rule
    assert await everything_left(gateway) == before


async def test_twenty_megabytes_are_refused_before_they_are_read(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    before = await everything_left(gateway)
    declared = await upload(gateway, picture() + bytes(20 * MEGABYTE), token=alice.access_token)
    assert code_of(declared) == (413, "BODY_TOO_LARGE")
    assert declared.json()["errors"][0]["extensions"]["limit"] == 10 * MEGABYTE
    # One who does not say how much it will be is cut off where it is too much.
    chunks: list[int] = []
    head = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    undeclared = await gateway.http.post(
        "/upload",
        content=endless(chunks, head=head + picture(), chunk=bytes(256 * 1024)),
        headers={
            "authorization": f"Bearer {alice.access_token}",
            "content-type": "multipart/form-data; boundary=x",
        },
    )
    assert code_of(undeclared) == (413, "BODY_TOO_LARGE")
    assert len(chunks) <= 42
    assert await everything_left(gateway) == before
    # As much as is allowed, and one byte more: zeros behind a picture are no harm.
    most = picture() + bytes(10 * MEGABYTE - len(picture()))
    assert (await upload(gateway, most, token=alice.access_token)).status_code == 201
    before = await everything_left(gateway)
    assert code_of(await upload(gateway, most + b"\0", token=alice.access_token)) == (
        413,
        "BODY_TOO_LARGE",
    )
    assert await everything_left(gateway) == before


async def test_forms_of_no_use(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    mine = {"authorization": f"Bearer {alice.access_token}"}
    before = await everything_left(gateway)

    async def code(**request: Any) -> tuple[int, str]:
        headers = {**mine, **request.pop("headers", {})}
        return code_of(await gateway.http.post("/upload", headers=headers, **request))

    form = "multipart/form-data; boundary=x"
    file = ("a.jpg", picture(), "image/jpeg")
    assert await code(json={}) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert await code(content=picture(), headers={"content-type": "image/jpeg"}) == (
        415,
        "UNSUPPORTED_MEDIA_TYPE",
    )
    assert await code(files={"file": file}, headers={"content-encoding": "gzip"}) == (
        415,
        "UNSUPPORTED_MEDIA_TYPE",
    )
    assert await code(files=[("file", file), ("file", file)]) == (400, "BAD_REQUEST")
    assert await code(files={"file": (None, b"text")}) == (400, "BAD_REQUEST")
    assert await code(files={"file": file}, data={"a": "b" * 2_000}) == (400, "BAD_REQUEST")
    assert await code(content=b"--y", headers={"content-type": form}) == (400, "BAD_REQUEST")
    assert await code(content=b"", headers={"content-type": form}) == (400, "BAD_REQUEST")
    assert await code(content=b"x", headers={"content-type": "multipart/form-data"}) == (
        400,
        "BAD_REQUEST",
    )
    cut_off = b'--x\r\ncontent-disposition: form-data; name="f"; filename="a"\r\n\r\n' + picture()
    assert await code(content=cut_off, headers={"content-type": form}) == (400, "BAD_REQUEST")
    assert (await gateway.http.get("/upload", headers=mine)).status_code == 405
    assert await everything_left(gateway) == before


async def test_who_may_send_files(gateway: Gateway) -> None:
    before = await everything_left(gateway)
    assert code_of(await upload(gateway, token=None)) == (401, "UNAUTHENTICATED")
    assert code_of(await upload(gateway, token="nonsense")) == (401, "UNAUTHENTICATED")
    for token in (await gateway.shop(), await gateway.partner()):
        assert code_of(await upload(gateway, token=token)) == (403, "FORBIDDEN")
    others = await gateway.token_of("clerk", "marketing")
    assert code_of(await upload(gateway, token=others)) == (403, "FORBIDDEN")
    staff = await gateway.staff()
    assert code_of(await upload(gateway, token=staff)) == (400, "BAD_USER_INPUT")
    assert code_of(await upload(gateway, token=staff, ticket="nonsense")) == (400, "BAD_ID")
    nobodys = global_id("Ticket", "0199c0de-0000-7000-8000-000000000000")
    assert code_of(await upload(gateway, token=staff, ticket=nobodys)) == (404, "NOT_FOUND")
    assert await everything_left(gateway) == before


async def test_nobody_gets_what_is_not_theirs(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in(), await gateway.sign_in("o-bob")
    theirs = await uploaded(gateway, token=alice.access_token)
    assert (await fetch(gateway, theirs, token=alice.access_token)).status_code == 200
    assert (await fetch(gateway, theirs, token=await gateway.staff())).status_code == 200
    assert code_of(await fetch(gateway, theirs, token=None)) == (401, "UNAUTHENTICATED")
    for token in (
        bob.access_token,
        await gateway.shop(),
        await gateway.partner(),
        await gateway.token_of("clerk", "marketing"),
    ):
        assert code_of(await fetch(gateway, theirs, token=token)) == (404, "NOT_FOUND")
    for wrong in (
        "..%2f..%2fkeys.json",
        plain_id(theirs).partition(":")[2],
        global_id("Ticket", plain_id(theirs).partition(":")[2]),
        global_id("Attachment", "../keys"),
        "%00",
    ):
        assert code_of(await fetch(gateway, wrong, token=alice.access_token)) == (404, "NOT_FOUND")


async def test_so_many_files_wait_for_a_message(gateway: Gateway) -> None:
    await open_desk()
    alice = await gateway.sign_in()
    ticket = (await submitted(gateway, alice))["id"]
    await uploaded(gateway, token=await gateway.staff(), ticket=ticket)
    sent = [await uploaded(gateway, token=alice.access_token) for _ in range(29)]
    gateway.clock.advance(hours=1)
    alice = await gateway.sign_in()
    await uploaded(gateway, token=alice.access_token)
    before = await everything_left(gateway)
    refused = await upload(gateway, token=alice.access_token)
    assert code_of(refused) == (429, "TOO_MANY_UPLOADS")
    assert refused.json()["errors"][0]["extensions"]["limit"] == 30
    assert await everything_left(gateway) == before
    # Those of staff are counted apart.
    await uploaded(gateway, token=await gateway.staff(), ticket=ticket)
    # After a day they wait no more, whether or not they are swept.
    gateway.clock.advance(hours=23)
    alice = await gateway.sign_in()
    await uploaded(gateway, token=alice.access_token)
    names = {f"{plain_id(one).partition(':')[2]}.jpg" for one in sent}
    assert names <= set(stored(gateway))
    swept = await feedback.sweep_attachments(store=store(gateway), now=gateway.clock.now())
    assert swept >= 29
    assert names.isdisjoint(stored(gateway))
    assert code_of(await fetch(gateway, sent[0], token=alice.access_token)) == (404, "NOT_FOUND")
    again = await feedback.sweep_attachments(store=store(gateway), now=gateway.clock.now())
    assert again == 0


async def test_what_is_given_back_is_what_is_kept(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    kept = await uploaded(gateway, token=alice.access_token)
    got = await fetch(gateway, kept, token=alice.access_token)
    content = await store(gateway).open(f"{plain_id(kept).partition(':')[2]}.jpg")
    assert content is not None
    assert hashlib.sha256(got.content).digest() == hashlib.sha256(content).digest()
    # It was written anew: nothing of what was sent is kept as it came.
    assert content != picture()
