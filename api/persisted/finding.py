"""Which document a request means: by its text, by `documentId`, or by Apollo's `persistedQuery`.

    found = await desk.find(asked, caller=caller, kept=runtime.kept_documents)
    ... run found.text; when it turned out valid:
    await desk.keep(found, caller=caller, kept=runtime.kept_documents)

It is the same for every transport. A refusal is a CodedError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from api.graphql_request import GraphQLRequest
from api.persisted.keeping import KeptDocuments
from api.persisted.manifest import TrustedDocuments, digest_of, parse_digest
from api.persisted.settings import DocumentSettings
from domain.access import Caller
from schema.faults import CodedError, FaultCode

APQ_VERSION: Final = 1
NOT_FOUND: Final = "PersistedQueryNotFound"
"""Apollo's clients, and others that followed, know the refusal by this very message."""


@dataclass(frozen=True, slots=True)
class Found:
    """A document to run. `digest` is set where the request named it by its hash.

    `text` is None for a request that names no document at all. `is_new` says that text and hash
    came together and that nobody sent them before.
    """

    text: str | None
    digest: str | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class DocumentDesk:
    """Finds documents, and keeps those that clients send with their hash."""

    trusted: TrustedDocuments
    settings: DocumentSettings

    async def find(
        self, asked: GraphQLRequest, *, caller: Caller | None, kept: KeptDocuments
    ) -> Found:
        """The document that the request means. Raises CodedError."""
        digest, text = _named_digest(asked), asked.query or None
        if digest is not None and text is not None and digest_of(text) != digest:
            message = "The hash is not the SHA-256 of the document."
            raise CodedError(FaultCode.PERSISTED_QUERY_MISMATCH, message)
        if self.holds_to_trusted(caller):
            return self._trusted(digest, text)
        if digest is None:
            return Found(text)
        known = self.trusted.texts.get(digest) or await kept.text(digest)
        if known is not None:
            return Found(known, digest)
        if text is None:
            raise CodedError(FaultCode.PERSISTED_QUERY_NOT_FOUND, NOT_FOUND)
        return Found(text, digest, is_new=True)

    async def keep(self, found: Found, *, caller: Caller | None, kept: KeptDocuments) -> None:
        """Keep a new document for the next who names it. Call it for valid ones only."""
        if found.is_new and found.text is not None and found.digest is not None:
            await kept.keep(found.digest, found.text, anonymous=caller is None)

    def holds_to_trusted(self, caller: Caller | None) -> bool:
        """Whether this caller may run nothing but trusted documents."""
        kind = "anonymous" if caller is None else caller.kind.value
        return self.settings.trusted_only and kind in self.settings.trusted_only_for

    def _trusted(self, digest: str | None, text: str | None) -> Found:
        if digest is None and text is None:
            return Found(None)
        if digest is None and text is not None:
            digest = self.trusted.digests.get(text)
        trusted = self.trusted.texts.get(digest or "")
        if trusted is None:
            message = "This caller may run only the documents of this server's manifest."
            raise CodedError(FaultCode.DOCUMENT_NOT_TRUSTED, message)
        return Found(trusted, digest)


def _named_digest(asked: GraphQLRequest) -> str | None:
    """The digest that the request names, by either of the two ways or by both."""
    named: list[str] = []
    if asked.document_id:
        named.append(_digest(asked.document_id, "`documentId`"))
    persisted: Any = (asked.extensions or {}).get("persistedQuery")
    if persisted is not None:
        if not isinstance(persisted, dict) or not _is_version(persisted.get("version")):
            raise _malformed(f"`persistedQuery` must be an object of version {APQ_VERSION}.")
        named.append(_digest(persisted.get("sha256Hash"), "`sha256Hash`"))
    if len(set(named)) > 1:
        raise _malformed("`documentId` and `persistedQuery` name two documents.")
    return named[0] if named else None


def _is_version(value: Any) -> bool:
    return type(value) is int and value == APQ_VERSION


def _digest(value: Any, what: str) -> str:
    digest = parse_digest(value) if isinstance(value, str) else None
    if digest is None:
        raise _malformed(f"{what} must be a SHA-256 of 64 hexadecimal digits.")
    return digest


def _malformed(message: str) -> CodedError:
    return CodedError(FaultCode.BAD_REQUEST, message)
