"""`POST /upload`: one picture, as `wx.uploadFile` sends it; the answer names the attachment.

The body goes to a file without a name while it comes in, so whatever ends the request leaves
nothing behind. What the file is decides its content alone. The picture is written anew in a thread,
one at a time in this process, while the request's place is others'.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.logs import request_id
from api.request_context import request_context
from api.runtime import Runtime
from api.settings import Settings
from api.stress.admission import outside
from api.stress.deadlines import deadline_of
from api.stress.entry import admit
from api.transport import TransportFault, rate_limited
from domain.access import CallerKind, StaffRole
from domain.audit import Actor
from domain.errors import MemberNotFound
from domain.feedback import (
    WAITING_MAX,
    Attachment,
    AttachmentStore,
    FileFlaw,
    FileRefused,
    TooManyUploads,
    clean_image,
    keep_upload,
    member_of_ticket,
)
from resolvers.context import RequestContext
from schema.charging import charge
from schema.faults import CodedError, FaultCode
from schema.node import decode_uuid, encode_global_id

PATH: Final = "/upload"
MULTIPART: Final = "multipart/form-data"
UPLOAD_COST: Final = 200
"""What a file costs of a caller's rate: a member may send some thirty in a minute."""

ENVELOPE_BYTES_MAX: Final = 16 * 1024
"""What a body may have beside its file: boundaries, headers, fields."""

FIELDS_MAX: Final = 8
_FIELD_BYTES_MAX: Final = 1_024

MESSAGES: Final = {
    FileFlaw.TYPE: "Files must be JPEG, PNG or WebP images, whatever their name says.",
    FileFlaw.BROKEN: "The image is damaged or not complete.",
    FileFlaw.MORE_THAN_AN_IMAGE: "The file holds something beside the image.",
    FileFlaw.ANIMATED: "The image must not move.",
    FileFlaw.TOO_MANY_PIXELS: "The image has too many pixels.",
}


@dataclass(frozen=True, slots=True)
class _Sender:
    """Whose file it will be; `by` are staff who send it for an answer in the member's ticket."""

    member_id: UUID
    by: Actor | None = None
    ticket_id: UUID | None = None


class _Form(MultiPartParser):
    """A form that knows whether it came whole: the parser takes one that was cut off, too."""

    is_whole = False

    def on_end(self) -> None:
        """The last boundary is there."""
        self.is_whole = True

    def let_go(self) -> None:
        """Close the files, also one whose end did not come, which no form would hand out."""
        for file in self._files_to_close_on_error:
            file.close()


class Uploads:
    """Takes files, and looks at one of them at a time."""

    def __init__(self, settings: Settings, *, store: AttachmentStore) -> None:
        self._settings = settings
        self._bounds = settings.uploads
        self._store = store
        self._looking = asyncio.Semaphore(1)

    @property
    def route(self) -> Route:
        """Where it is served."""
        return Route(PATH, self._serve, methods=["POST"])

    async def _serve(self, request: Request) -> Response:
        """One file. Raises TransportFault."""
        context = await request_context(
            request, settings=self._settings, request_id=request_id(request.scope)
        )
        _require_sender(context)
        admit(request, context.caller, bounds=self._settings.stress)
        _require_form(request, bytes_max=self._bounds.bytes_max)
        await _charge(context)
        deadline_of(request.scope).extend_to(self._bounds.upload_s_max)
        form = await self._receive(request)
        try:
            file = _file_of(form)
            sender = await _sender(context, form)
            if (file.size or 0) > self._bounds.bytes_max:
                raise _too_large(self._bounds.bytes_max)
            content = await file.read()
            deadline_of(request.scope).begins(lambda: True)
            kept = await self._keep(
                content, sent_name=file.filename or "", sender=sender, request=request
            )
        finally:
            await form.close()
        return _answer(kept)

    async def _receive(self, request: Request) -> FormData:
        """The body, on the disk under no name. Raises TransportFault for what is none of ours."""
        parser = _Form(
            request.headers,
            _counted(request, bytes_max=self._bounds.bytes_max),
            max_files=1,
            max_fields=FIELDS_MAX,
            max_part_size=_FIELD_BYTES_MAX,
        )
        try:
            form = await parser.parse()
        except MultiPartException as broken:
            raise TransportFault(FaultCode.BAD_REQUEST, f"{broken.message}") from None
        if not parser.is_whole:
            parser.let_go()
            raise TransportFault(FaultCode.BAD_REQUEST, "The form ends before its last boundary.")
        return form

    async def _keep(
        self, content: bytes, *, sent_name: str, sender: _Sender, request: Request
    ) -> Attachment:
        runtime: Runtime = request.app.state.runtime
        async with outside():
            try:
                async with self._looking:
                    image = await asyncio.to_thread(
                        clean_image, content, pixels_max=self._bounds.pixels_max
                    )
            except FileRefused as refused:
                raise TransportFault(
                    FaultCode.FILE_REFUSED, MESSAGES[refused.flaw], rule=refused.flaw.value
                ) from None
            if len(image.content) > self._bounds.bytes_max:
                raise _too_large(self._bounds.bytes_max)
        try:
            return await keep_upload(
                image,
                sent_name=sent_name,
                member_id=sender.member_id,
                uploaded_by=sender.by,
                for_ticket=sender.ticket_id,
                store=self._store,
                now=runtime.clock.now(),
            )
        except TooManyUploads:
            message = f"There are {WAITING_MAX} files already that no message has."
            raise TransportFault(FaultCode.TOO_MANY_UPLOADS, message, limit=WAITING_MAX) from None
        except MemberNotFound:
            # Erased meanwhile: the member's token is none any more, the ticket of staff not found.
            raise _unauthenticated() if sender.by is None else _no_ticket() from None


def _require_sender(context: RequestContext) -> None:
    """Members and staff who answer them may send files. Raises TransportFault for all others."""
    caller = context.caller
    if caller is None:
        raise _unauthenticated()
    if caller.kind is CallerKind.MEMBER:
        return
    if caller.kind is not CallerKind.STAFF or StaffRole.SUPPORT not in caller.roles:
        message = f"A member's token is needed, or one of staff with the role {StaffRole.SUPPORT}."
        raise TransportFault(FaultCode.FORBIDDEN, message)


async def _sender(context: RequestContext, form: FormData) -> _Sender:
    """Whose file it is. Staff say for which ticket, by the field `ticketId`."""
    if context.member_id is not None:
        return _Sender(context.member_id)
    ticket = form.get("ticketId")
    if not isinstance(ticket, str):
        message = "Staff say in the field ticketId for which ticket the file is."
        raise TransportFault(FaultCode.BAD_USER_INPUT, message)
    try:
        ticket_id = decode_uuid(ticket, "Ticket")
    except CodedError as refusal:
        raise TransportFault(FaultCode.BAD_ID, refusal.message) from None
    member_id = await member_of_ticket(ticket_id)
    if member_id is None:
        raise _no_ticket()
    return _Sender(member_id, by=context.actor(), ticket_id=ticket_id)


def _require_form(request: Request, *, bytes_max: int) -> None:
    """Raise TransportFault for a body of no use, before anything of it is read."""
    headers = request.headers
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != MULTIPART or headers.get("content-encoding", "identity").lower() != "identity":
        message = f"The body must be {MULTIPART}, not compressed."
        raise TransportFault(
            FaultCode.UNSUPPORTED_MEDIA_TYPE, message, headers={"accept-post": MULTIPART}
        )
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > bytes_max + ENVELOPE_BYTES_MAX:
        raise _too_large(bytes_max)


async def _counted(request: Request, *, bytes_max: int) -> AsyncGenerator[bytes, None]:
    """The body, until it is too large. Raises TransportFault."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > bytes_max + ENVELOPE_BYTES_MAX:
            raise _too_large(bytes_max)
        yield chunk


def _file_of(form: FormData) -> UploadFile:
    files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
    if len(files) != 1:
        raise TransportFault(FaultCode.BAD_REQUEST, "The form must have one file.")
    return files[0]


async def _charge(context: RequestContext) -> None:
    try:
        await charge(context, UPLOAD_COST)
    except CodedError as refusal:
        raise rate_limited((refusal.extensions or {})["retryAfter"]) from None


def _answer(kept: Attachment) -> Response:
    told = {
        "id": encode_global_id("Attachment", str(kept.id)),
        "name": kept.name,
        "mediaType": kept.media_type.value,
        "bytes": kept.bytes,
        "width": kept.width,
        "height": kept.height,
    }
    return Response(
        orjson.dumps(told),
        status_code=201,
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )


def _unauthenticated() -> TransportFault:
    return TransportFault(
        FaultCode.UNAUTHENTICATED,
        "A token is needed.",
        headers={"www-authenticate": 'Bearer realm="jifen"'},
    )


def _no_ticket() -> TransportFault:
    return TransportFault(FaultCode.NOT_FOUND, "There is no such ticket.")


def _too_large(bytes_max: int) -> TransportFault:
    message = f"The file must not exceed {bytes_max} bytes."
    return TransportFault(FaultCode.BODY_TOO_LARGE, message, limit=bytes_max)
