"""The contexts that own tables, in the order of the ladder, lowest first.

Migrations run in this order. A context has models only where the ORM serves it; the tables of hot
paths are declared by their migrations alone and read with plain SQL (decisions/0002).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

CONTEXTS = (
    "outbox",
    "idempotency",
    "schedules",
    "audit",
    "program",
    "access",
    "members",
    "catalogue",
    "notifications",
    "ledger",
    "tiers",
    "purchases",
    "rewards",
    "returns",
    "recommendations",
    "games",
    "feedback",
    "custody",
)


def migration_apps() -> dict[str, dict[str, Any]]:
    """One Tortoise app per context: its migrations, and its models where it has some."""
    return {
        context: {
            "models": [f"domain.{context}.models"] if find_spec(f"domain.{context}.models") else [],
            "migrations": f"migrations.{context}",
            "default_connection": "default",
        }
        for context in CONTEXTS
    }


def model_apps() -> dict[str, dict[str, Any]]:
    """The apps that the ORM serves; it refuses one without models."""
    return {context: app for context, app in migration_apps().items() if app["models"]}
