"""What tests of faults begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.town import Town, settle


@pytest.fixture
async def town(postgres_url: str, tmp_path: Path) -> Town:
    """A town on PostgreSQL."""
    return await settle(postgres_url, tmp_path)
