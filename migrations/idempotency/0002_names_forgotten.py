"""Plain digests of how members were named are forgotten: all phone numbers can be tried.

Digests of names are made under a pepper from now on, which a migration does not have. What is
forgotten differs from nothing: such a key gives its first answer whoever is named with it.
"""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

# `orders` is made of the digests of orders, each with its member's.
_NAMING = ("member", "to_member", "keep", "lose", "orders")
_ARRAY = "'{" + ",".join(_NAMING) + "}'::text[]"

FORGETTING = {
    "postgres": f"""
        UPDATE idempotency SET digests = (
            SELECT jsonb_object_agg(key, CASE WHEN key = ANY({_ARRAY}) THEN '""' ELSE value END)
            FROM jsonb_each(digests)
        )
        WHERE digests ?| {_ARRAY}
    """,
    "sqlite": "UPDATE idempotency SET digests = json_replace(digests, "
    + ", ".join(f"'$.{name}', ''" for name in _NAMING)
    + ")",
}


class Migration(migration.Migration):
    dependencies = [("idempotency", "0001_initial")]
    operations = [Statements(postgres=[FORGETTING["postgres"]], sqlite=[FORGETTING["sqlite"]])]
