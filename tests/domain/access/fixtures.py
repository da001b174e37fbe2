"""A key ring in a file of its own, and the tokens it signs. For every folder that needs tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.access import AccessTokens, KeyRing
from domain.audit import Actor

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ISSUER = "https://jifen.example"
OPERATOR = Actor(name="cli:tests", request_id="0199c0ffee")
"""Whoever sets up what these tests begin with."""


@pytest.fixture
def key_path(tmp_path: Path) -> Path:
    """Where the key set will be."""
    return tmp_path / "keys" / "access.json"


@pytest.fixture
def ring(key_path: Path) -> KeyRing:
    """A ring with one signing key, made just now."""
    return KeyRing(key_path, now=NOW, create_missing=True)


@pytest.fixture
def tokens(ring: KeyRing) -> AccessTokens:
    """Tokens signed by the ring."""
    return AccessTokens(ring, ISSUER)
