"""Reconciliation beside GraphQL: a partner fetches our file of a day, and sends its own.

`GET /partners/reconciliation/files/{id}?…` is a link that `downloadUrl` gave, good for a quarter of
an hour. `POST /partners/reconciliation/{date}` takes a file of any size. It is not held in memory:
what is signed is its `Content-Digest`, which is verified before anything of the file is read; it
goes to the disk, and counts once its bytes have that digest.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from tempfile import TemporaryFile
from typing import BinaryIO, Final
from uuid import UUID

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from api.logs import request_id
from api.partners.settings import ReconciliationSettings
from api.partners.signing import peer_address, signed
from api.request_context import request_context
from api.runtime import Runtime
from api.settings import Settings
from api.stress.admission import outside
from api.stress.deadlines import deadline_of
from api.stress.entry import admit
from api.transport import TransportFault, overloaded, rate_limited
from domain.access import Account, CallerKind, Scope, find_account
from domain.files import FileStore
from domain.games import (
    Compared,
    DifferenceKind,
    DownloadLink,
    LineRefused,
    Reconciliation,
    ReconciliationReplaced,
    Upload,
    compare_upload,
    find_reconciliation,
    partner_guard,
    reconciliation_with,
)
from resolvers.context import RequestContext
from schema.charging import charge
from schema.faults import SIGNATURE_MISSING_MESSAGE, CodedError, FaultCode
from schema.node import parse_uuid
from schema.reconciliations import FILES_PATH

log = structlog.get_logger("jifen.partners")

UPLOAD_PATH: Final = "/partners/reconciliation/{date}"
NDJSON: Final = "application/x-ndjson"
UPLOAD_COST: Final = 200
"""What sending a file costs of a partner's rate, beside the time that it takes."""

AGAIN_AFTER_S: Final = 5
_DIGEST: Final = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_LINK_CHARACTERS_MAX: Final = 128
_MOMENT: Final = re.compile(r"[0-9]{1,12}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def reconciliation_routes(settings: Settings) -> list[Route]:
    """Both routes."""
    uploads = _Uploads(settings)

    async def download(request: Request) -> Response:
        return await _file(request, files=settings.reconciliation_files)

    return [
        Route(f"{FILES_PATH}/{{id}}", download, methods=["GET"]),
        Route(UPLOAD_PATH, uploads.serve, methods=["POST"]),
    ]


async def _file(request: Request, *, files: FileStore) -> Response:
    """The file behind a link. Any link that is no good leads nowhere, whatever is wrong with it."""
    runtime: Runtime = request.app.state.runtime
    now, link = runtime.clock.now(), _link(request)
    if link is None or not link.is_good(keys=runtime.services.tokens.keys, now=now):
        raise _not_found("This link leads nowhere, or its time is over.")
    found = await reconciliation_with(link.file_id)
    path = None if found is None else files.find(found.file_name)
    if found is None or path is None:
        raise _not_found("This link leads nowhere, or its time is over.")
    guard = await partner_guard(found.partner_id, now=now)
    account = None if guard.partner is None else await find_account(guard.partner.code)
    if guard.partner is None or account is None or not _counts(link, account):
        raise _not_found("This link leads nowhere, or its time is over.")
    if not guard.admits(peer_address(request.scope)):
        message = "This partner may not call from this address."
        raise TransportFault(FaultCode.NETWORK_FORBIDDEN, message)
    digest = base64.b64encode(bytes.fromhex(found.sha256)).decode()
    return FileResponse(
        path,
        media_type=NDJSON,
        filename=f"{guard.partner.code}-{found.day}.ndjson",
        headers={
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
            "repr-digest": f"sha-256=:{digest}:",
        },
    )


def _counts(link: DownloadLink, account: Account) -> bool:
    """Whether whom it was given to has not lost all access since, as tokens of that time have."""
    since = account.tokens_not_before
    return account.disabled_at is None and (since is None or link.made_s >= int(since.timestamp()))


def _link(request: Request) -> DownloadLink | None:
    query = request.query_params
    until, key, signature = (query.get(name, "") for name in ("until", "key", "signature"))
    if not _MOMENT.fullmatch(until) or not signature.isascii():
        return None
    if max(len(key), len(signature)) > _LINK_CHARACTERS_MAX:
        return None
    try:
        file_id = parse_uuid(request.path_params["id"])
    except ValueError:
        return None
    return DownloadLink(file_id=file_id, until_s=int(until), key_id=key, signature=signature)


class _Uploads:
    """Takes what partners send, one file of each partner at a time in this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bounds: ReconciliationSettings = settings.reconciliation
        self._files = settings.reconciliation_files
        self._under_way: set[UUID] = set()

    async def serve(self, request: Request) -> Response:
        """One file: whose, for which day, what differs. Raises TransportFault."""
        context = await request_context(
            request, settings=self._settings, request_id=request_id(request.scope)
        )
        partner_id = _partner_of(context)
        admit(request, context.caller, bounds=self._settings.stress)
        day, sha256 = _day(request), _declared(request, bytes_max=self._bounds.upload_bytes_max)
        context = await signed(request, _signed_text(request, day), context)
        if context.signed_by is None:
            raise TransportFault(FaultCode.SIGNATURE_MISSING, SIGNATURE_MISSING_MESSAGE)
        await _charge(context)
        with self._alone(partner_id):
            deadline_of(request.scope).extend_to(self._bounds.upload_s_max)
            reconciliation = await find_reconciliation(partner_id, day)
            if reconciliation is None:
                raise _not_found("There is no file of this day: not yet, or not any more.")
            folder = self._files.folder
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with TemporaryFile(dir=folder) as file:
                await self._receive(request, file, sha256=sha256)
                upload = Upload(file=file, sha256=sha256.hex())
                compared = await self._compare(request, reconciliation, upload, context)
        log.info(
            "reconciliation_compared",
            partner=context.require_account(CallerKind.PARTNER).code,
            day=str(day),
            differences=compared.total,
        )
        return _answer(reconciliation, upload, compared)

    @contextmanager
    def _alone(self, partner_id: UUID) -> Iterator[None]:
        """Let nobody else of the partner send a file during the block. Raises TransportFault."""
        if partner_id in self._under_way:
            raise rate_limited(AGAIN_AFTER_S)
        self._under_way.add(partner_id)
        try:
            yield
        finally:
            self._under_way.discard(partner_id)

    async def _receive(self, request: Request, file: BinaryIO, *, sha256: bytes) -> None:
        """Put the body on the disk. Raises TransportFault where it is not what was signed."""
        size, digest = 0, hashlib.sha256()
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._bounds.upload_bytes_max:
                raise _too_large(self._bounds.upload_bytes_max)
            digest.update(chunk)
            file.write(chunk)
        if digest.digest() != sha256:
            message = "The body does not have the digest that was signed."
            raise TransportFault(FaultCode.SIGNATURE_INVALID, message)
        file.seek(0)

    async def _compare(
        self,
        request: Request,
        reconciliation: Reconciliation,
        upload: Upload,
        context: RequestContext,
    ) -> Compared:
        deadline_of(request.scope).begins(lambda: True)
        try:
            # Others are served meanwhile; what this takes is one thread's time.
            async with outside():
                return await compare_upload(
                    reconciliation, upload, files=self._files, now=context.now
                )
        except LineRefused as refused:
            raise TransportFault(
                FaultCode.BAD_USER_INPUT,
                f"Line {refused.line}: {refused.rule}.",
                line=refused.line,
                rule=refused.rule,
            ) from None
        except ReconciliationReplaced:
            raise overloaded() from None


def _partner_of(context: RequestContext) -> UUID:
    """The partner who sends. Raises TransportFault for all others."""
    caller = context.caller
    if caller is None:
        raise TransportFault(
            FaultCode.UNAUTHENTICATED,
            "A partner's token is needed.",
            headers={"www-authenticate": 'Bearer realm="jifen"'},
        )
    if caller.kind is not CallerKind.PARTNER or Scope.REWARDS_WRITE not in caller.scopes:
        message = f"A partner's token with the scope {Scope.REWARDS_WRITE} is needed."
        raise TransportFault(FaultCode.FORBIDDEN, message)
    return caller.subject


def _day(request: Request) -> date:
    text = request.path_params["date"]
    try:
        if not _DAY.fullmatch(text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        message = "The path ends with a day: YYYY-MM-DD."
        raise TransportFault(FaultCode.BAD_USER_INPUT, message) from None


def _declared(request: Request, *, bytes_max: int) -> bytes:
    """The SHA-256 that the headers say the body has. Raises TransportFault for a body of no use."""
    headers = request.headers
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != NDJSON or headers.get("content-encoding", "identity").lower() != "identity":
        message = f"The body must be {NDJSON}, not compressed."
        raise TransportFault(
            FaultCode.UNSUPPORTED_MEDIA_TYPE, message, headers={"accept-post": NDJSON}
        )
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > bytes_max:
        raise _too_large(bytes_max)
    digests = headers.getlist("content-digest")
    found = _DIGEST.fullmatch(digests[0]) if len(digests) == 1 else None
    if found is None:
        message = "The header Content-Digest must be sha-256=:<base64>: of the body."
        raise TransportFault(FaultCode.BAD_REQUEST, message)
    return base64.b64decode(found[1])


def _signed_text(request: Request, day: date) -> bytes:
    """What stands for the body in the signature."""
    return f"{day}.{request.headers['content-digest']}".encode("ascii")


async def _charge(context: RequestContext) -> None:
    try:
        await charge(context, UPLOAD_COST)
    except CodedError as refusal:
        raise rate_limited((refusal.extensions or {})["retryAfter"]) from None


def _answer(reconciliation: Reconciliation, upload: Upload, compared: Compared) -> Response:
    counts = {kind.value: compared.by_kind[kind] for kind in DifferenceKind}
    told = {
        "date": reconciliation.day,
        "sha256": upload.sha256,
        "comparedWith": reconciliation.sha256,
        "differences": {"total": compared.total, "kept": len(compared.kept), **counts},
    }
    return Response(
        orjson.dumps(told), media_type="application/json", headers={"cache-control": "no-store"}
    )


def _not_found(message: str) -> TransportFault:
    return TransportFault(FaultCode.NOT_FOUND, message)


def _too_large(bytes_max: int) -> TransportFault:
    message = f"The body must not exceed {bytes_max} bytes."
    return TransportFault(FaultCode.BODY_TOO_LARGE, message, limit=bytes_max)
