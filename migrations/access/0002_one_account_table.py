"""Shops, partners and staff in one table: they differ in nothing but their kind."""

from __future__ import annotations

from tortoise.migrations import migration
from tortoise.migrations.operations import DeleteModel

from domain.storage.migration_operations import Statements

# What staff could hold before roles were a closed list.
_ROLES = {"owner": "admin", "service": "support", "points": "finance", "approver": "finance"}


def _renamed(roles: str) -> str:
    """The SQL of the roles in their new names, a word each between spaces."""
    text = f"' ' || {roles} || ' '"
    for old, new in _ROLES.items():
        text = f"replace({text}, ' {old} ', ' {new} ')"
    return f"trim({text})"


class Migration(migration.Migration):
    dependencies = [("access", "0001_initial")]

    operations = [
        Statements(
            """
            CREATE TABLE access_account (
                id UUID NOT NULL PRIMARY KEY,
                kind TEXT NOT NULL CHECK (kind IN ('shop', 'partner', 'staff')),
                code TEXT NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 64),
                name TEXT NOT NULL,
                grants TEXT NOT NULL,
                created_at TIMESTAMPTZ NOT NULL,
                disabled_at TIMESTAMPTZ,
                tokens_not_before TIMESTAMPTZ
            )
            """,
            """
            INSERT INTO access_account
            SELECT id, kind, code, name, scopes, created_at, disabled_at, tokens_not_before
            FROM api_client
            """,
            # A login that was also a client's code goes on as another word.
            f"""
            INSERT INTO access_account
            SELECT id, 'staff', CASE WHEN login IN (SELECT code FROM api_client)
                                     THEN 'staff:' || substr(login, 1, 58) ELSE login END,
                   name, {_renamed("roles")}, created_at, disabled_at, tokens_not_before
            FROM staff_account
            """,
        ),
        DeleteModel("ApiClient"),
        DeleteModel("StaffAccount"),
    ]
