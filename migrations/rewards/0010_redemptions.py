"""Rewards with a window, a limit and a coupon; redemptions, addresses, coupons in use."""

from tortoise.migrations import migration

from domain.storage.migration_operations import ForgottenModel, Statements


def _add(table: str, *columns: str) -> list[str]:
    """SQLite adds one column at a time."""
    return [f"ALTER TABLE {table} ADD COLUMN {column}" for column in columns]


_VALUE = (
    "coupon_off TEXT CHECK (coupon_off IN ('AMOUNT', 'SHARE'))",
    "coupon_value BIGINT NOT NULL DEFAULT 0 CHECK (coupon_value >= 0)",
    "amount_min_fen BIGINT NOT NULL DEFAULT 0 CHECK (amount_min_fen >= 0)",
    "discount_max_fen BIGINT CHECK (discount_max_fen > 0)",
    "stacks BOOLEAN NOT NULL DEFAULT FALSE",
    "terms_zh TEXT NOT NULL DEFAULT ''",
    "terms_en TEXT NOT NULL DEFAULT ''",
)
"""What a coupon gives: no `coupon_off` is a voucher without a discount."""


class Migration(migration.Migration):
    dependencies = [("rewards", "0002_came_with")]

    operations = [
        # The catalogue is read and changed by statements of its own from here on.
        ForgottenModel("Reward"),
        Statements(
            *_add(
                "reward",
                "version INTEGER NOT NULL DEFAULT 1 CHECK (version > 0)",
                "begins_at TIMESTAMPTZ",
                "per_member INTEGER CHECK (per_member > 0)",
                "coupon_days INTEGER NOT NULL DEFAULT 30 CHECK (coupon_days BETWEEN 1 AND 3650)",
                *_VALUE,
            ),
            "CREATE INDEX reward_page ON reward (points_price, id)",
            *_add(
                "coupon",
                "redemption_id UUID",
                *_VALUE,
                "owner TEXT",
                "order_reference TEXT CHECK (length(order_reference) BETWEEN 1 AND 128)",
                "amount_fen BIGINT CHECK (amount_fen >= 0)",
                "discount_fen BIGINT CHECK (discount_fen BETWEEN 0 AND amount_fen)",
                # What is reserved or used is so for an order of a shop.
                "reserved_until TIMESTAMPTZ CONSTRAINT coupon_of_an_order CHECK ("
                "(status IN ('RESERVED', 'USED')) = (owner IS NOT NULL AND order_reference IS NOT "
                "NULL AND discount_fen IS NOT NULL AND reserved_until IS NOT NULL))",
                "used_at TIMESTAMPTZ",
            ),
            "CREATE INDEX coupon_of_redemption ON coupon (member_id, redemption_id) "
            "WHERE redemption_id IS NOT NULL",
            "CREATE INDEX coupon_of_order ON coupon (owner, order_reference) "
            "WHERE owner IS NOT NULL",
            # An order has one coupon, but for those that go with others.
            "CREATE UNIQUE INDEX coupon_alone ON coupon (owner, order_reference) "
            "WHERE status IN ('RESERVED', 'USED') AND NOT stacks",
            # The address is copied: what a member removes later was the address all the same.
            """
            CREATE TABLE redemption (
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                reward_id UUID NOT NULL REFERENCES reward (id),
                quantity INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 20),
                status TEXT NOT NULL CHECK (status IN ('AWAITING_ADDRESS', 'PLACED', 'SHIPPED',
                    'DELIVERED', 'FULFILLED', 'CANCELLED')),
                points_spent BIGINT NOT NULL CHECK (points_spent BETWEEN 1 AND 9007199254740991),
                paid_by UUID NOT NULL,
                entry_seq BIGINT NOT NULL CHECK (entry_seq > 0),
                redeemed_at TIMESTAMPTZ NOT NULL,
                recipient TEXT,
                phone TEXT,
                region TEXT,
                street TEXT,
                postcode TEXT,
                carrier TEXT,
                tracking_number TEXT,
                shipped_at TIMESTAMPTZ,
                delivered_at TIMESTAMPTZ,
                cancelled_at TIMESTAMPTZ,
                given_back_seq BIGINT CHECK (given_back_seq > 0),
                came_with UUID,
                PRIMARY KEY (member_id, id),
                UNIQUE (paid_by, entry_seq),
                CONSTRAINT redemption_cancelled CHECK (
                    (status = 'CANCELLED') = (given_back_seq IS NOT NULL)
                ),
                CONSTRAINT redemption_shipped CHECK (
                    (status IN ('SHIPPED', 'DELIVERED')) = (shipped_at IS NOT NULL)
                )
            )
            """,
            "CREATE INDEX redemption_page ON redemption (member_id, redeemed_at, id)",
            "CREATE INDEX redemption_taken ON redemption (member_id, reward_id)",
            "CREATE INDEX redemption_queue ON redemption (status, redeemed_at, id)",
            """
            CREATE TABLE member_address (
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                recipient TEXT NOT NULL CHECK (length(recipient) BETWEEN 1 AND 64),
                phone TEXT NOT NULL CHECK (length(phone) BETWEEN 5 AND 20),
                region TEXT NOT NULL CHECK (length(region) BETWEEN 1 AND 128),
                street TEXT NOT NULL CHECK (length(street) BETWEEN 1 AND 256),
                postcode TEXT CHECK (length(postcode) BETWEEN 1 AND 16),
                added_at TIMESTAMPTZ NOT NULL,
                came_with UUID,
                PRIMARY KEY (member_id, id)
            )
            """,
        ),
    ]
