"""Sending a file, as `wx.uploadFile` does, and fetching it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote

import httpx

from domain import feedback
from domain.feedback import AttachmentFolder
from domain.files import FileStore
from domain.storage import fetch_all
from tests.domain.feedback.pictures import picture
from tests.graphql.gateway import Gateway
from tests.graphql.kept import everything_kept

Left = tuple[object, list[str], list[str]]


def store(gateway: Gateway) -> AttachmentFolder:
    """Where the gateway keeps attachments."""
    return AttachmentFolder(FileStore(gateway.files.folder / "attachments"))


def stored(gateway: Gateway) -> list[str]:
    """Every file in that folder, half ones too."""
    folder = gateway.files.folder / "attachments"
    return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []


async def left_by_the_sweep(gateway: Gateway) -> list[str]:
    """What is in the folder once it is swept."""
    await feedback.sweep_attachments(store=store(gateway), now=gateway.clock.now())
    return stored(gateway)


async def everything_left(gateway: Gateway) -> Left:
    """All rows, all files, and what is to be deleted."""
    rows = await fetch_all("SELECT name FROM attachment_leftover ORDER BY name")
    return await everything_kept(), stored(gateway), [row["name"] for row in rows]


async def upload(
    gateway: Gateway,
    content: bytes | None = None,
    *,
    token: str | None,
    name: str = "photo.jpg",
    media_type: str = "image/jpeg",
    ticket: str | None = None,
) -> httpx.Response:
    """One file in a form."""
    return await gateway.http.post(
        "/upload",
        files={"file": (name, picture() if content is None else content, media_type)},
        data={} if ticket is None else {"ticketId": ticket},
        headers={} if token is None else {"authorization": f"Bearer {token}"},
    )


async def uploaded(gateway: Gateway, *, token: str, ticket: str | None = None) -> str:
    """The id of a picture that is taken; staff say for which ticket."""
    answer = await upload(gateway, token=token, ticket=ticket)
    assert answer.status_code == 201, answer.text
    attachment_id: str = answer.json()["id"]
    return attachment_id


async def fetch(gateway: Gateway, attachment_id: str, *, token: str | None) -> httpx.Response:
    """The file again."""
    return await gateway.http.get(
        f"/attachments/{attachment_id}",
        headers={} if token is None else {"authorization": f"Bearer {token}"},
    )


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of a refusal."""
    return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]


def offered_name(answer: httpx.Response) -> str:
    """Under which name the file is offered for saving."""
    return unquote(answer.headers["content-disposition"].partition("UTF-8''")[2])


async def endless(chunks: list[int], *, head: bytes, chunk: bytes) -> AsyncIterator[bytes]:
    """A body that goes on for as long as somebody reads; counts its chunks."""
    yield head
    while len(chunks) < 10_000:
        chunks.append(1)
        yield chunk
