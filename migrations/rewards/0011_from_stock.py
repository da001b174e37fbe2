"""A redemption says whether its reward came from a stock, which alone has it back."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("rewards", "0010_redemptions")]

    # Of what was redeemed before nobody knows: it goes back, as it would have.
    operations = [
        Statements("ALTER TABLE redemption ADD COLUMN from_stock BOOLEAN NOT NULL DEFAULT TRUE")
    ]
