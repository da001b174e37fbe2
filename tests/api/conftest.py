"""Gateways as fixtures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.gateway import Gateway, development_settings, open_gateway, production_settings


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway in development."""
    async with open_gateway(development_settings(), tmp_path) as opened:
        yield opened


@pytest.fixture
async def production(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway in production."""
    async with open_gateway(production_settings(), tmp_path) as opened:
        yield opened
