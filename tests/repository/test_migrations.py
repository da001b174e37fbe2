"""Migrations, models and databases agree."""

from __future__ import annotations

import pytest

from domain import storage


@pytest.mark.usefixtures("database")
async def test_models_and_migrations_do_not_drift_apart() -> None:
    assert await storage.drift() == []


@pytest.mark.usefixtures("database")
async def test_a_migrated_database_lacks_nothing_and_migrating_again_does_nothing() -> None:
    assert await storage.pending_migrations() == []
    assert await storage.migrate() == []
