"""Which documents are served by hash, to whom nothing else is, and how many are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, PositiveInt

Kind: TypeAlias = Literal["anonymous", "member", "shop", "partner", "staff"]


class DocumentSettings(BaseModel):
    """Trusted documents come from a manifest; the others are kept as clients send them."""

    manifest: Path | None = None
    """A JSON object of documents by their SHA-256, as codegen's client preset writes it."""

    trusted_only: bool = False
    trusted_only_for: frozenset[Kind] = frozenset({"anonymous", "member"})
    """Whom `trusted_only` concerns; all others may send any document."""

    kept_s: PositiveInt = 7 * 24 * 3600
    """How long a document that clients sent is kept after it was last fetched."""

    kept_bytes_max: PositiveInt = 16 * 1024
    """How long its text may be."""

    kept_count_max: PositiveInt = 2_000
    kept_anonymous_count_max: PositiveInt = 200
    """Apart, so that callers without a token cannot crowd out those with one."""

    worker_bytes_max: PositiveInt = 4 * 1024 * 1024
    """What each worker keeps of them in its own memory."""

    def problems(self) -> list[str]:
        """What does not fit together, in words."""
        if self.trusted_only and self.manifest is None:
            return ["trusted documents only: name their manifest in JIFEN_DOCUMENTS__MANIFEST"]
        return []
