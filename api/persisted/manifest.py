"""Trusted documents: read from their manifest, checked and prepared once, before anything runs.

The manifest is what the build of a client makes: a JSON object whose keys are the SHA-256 of its
values, `sha256:` and 64 hexadecimal digits or the digits alone, as GraphQL Code Generator's client
preset writes `persisted-documents.json` with `hashAlgorithm: "sha256"`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from schema.building import JifenSchema
from schema.documents import InvalidDocument

PREFIX = "sha256:"
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class ManifestRefused(Exception):
    """Raised when a manifest cannot be served as it is; the message names the document."""


def digest_of(text: str) -> str:
    """The SHA-256 of a document's text, in lower-case hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def parse_digest(name: str) -> str | None:
    """The digest in `sha256:<hex>` or `<hex>`; None for anything else."""
    digits = name.removeprefix(PREFIX).lower()
    return digits if _DIGEST.fullmatch(digits) else None


@dataclass(frozen=True, slots=True)
class TrustedDocuments:
    """The documents of a manifest by their digest, and the other way round."""

    texts: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)


def read_manifest(path: Path | None, *, schema: JifenSchema) -> TrustedDocuments:
    """The documents of the manifest, each valid and prepared in `schema`; none without a path.

    Raises ManifestRefused for a document that its hash does not name or that cannot run here.
    """
    trusted = TrustedDocuments()
    if path is None:
        return trusted
    for name, text in _entries(path):
        digest = parse_digest(name)
        if digest is None:
            raise ManifestRefused(f"{path}: {name!r} is no SHA-256 of a document")
        found = digest_of(text)
        if found != digest:
            raise ManifestRefused(f"{path}: {name} names a text whose SHA-256 is {found}")
        try:
            schema.pin(text)
        except InvalidDocument as invalid:
            raise ManifestRefused(f"{path}: {name} cannot run here: {invalid}") from None
        trusted.texts[digest] = text
        trusted.digests[text] = digest
    return trusted


def _entries(path: Path) -> Iterator[tuple[str, str]]:
    try:
        documents = orjson.loads(path.read_bytes())
    except OSError as failure:
        raise ManifestRefused(f"{path}: {failure.strerror}") from None
    except orjson.JSONDecodeError as failure:
        raise ManifestRefused(f"{path}: not JSON: {failure}") from None
    if not isinstance(documents, dict) or not documents:
        raise ManifestRefused(f"{path}: not an object of documents by their SHA-256")
    for name, text in documents.items():
        if not isinstance(text, str):
            raise ManifestRefused(f"{path}: {name} names something else than a text")
        yield name, text
