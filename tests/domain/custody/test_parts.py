"""Every table that is keyed by a member is declared once, and as the database has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from domain.custody import PARTS
from domain.storage import Blank, Erasing, MemberTable, dialect, execute, fetch_all

DECLARED = [table for _, tables in PARTS for table in tables]

# Columns that hold a member's id under another name, in tables that have no `member_id`.
NAMED_OTHERWISE = {"member": "id"}


@dataclass(frozen=True, slots=True)
class Columns:
    """A table as the database has it."""

    names: frozenset[str]
    primary_key: tuple[str, ...]
    texts: frozenset[str] = frozenset()


_TABLES = {
    "postgres": "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    " AND relkind IN ('r', 'p') AND NOT relispartition",
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
}
_COLUMNS = {
    "postgres": """
        SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type,
               COALESCE(array_position(i.indkey::smallint[], a.attnum) + 1, 0) AS pk
        FROM pg_attribute AS a
        LEFT JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
        WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
    """,
    "sqlite": "SELECT name, type, pk FROM pragma_table_info($1)",
}


_OF_WORDS = {"text", "character varying", "json", "jsonb", "bytea", "blob"}
"""Types of columns in which a word may stand."""


async def catalogue() -> Mapping[str, Columns]:
    """All tables of the database that is connected."""
    found = {}
    for table in [row["name"] for row in await fetch_all(_TABLES[dialect()])]:
        rows = await fetch_all(_COLUMNS[dialect()], table)
        key = sorted((row["pk"], row["name"]) for row in rows if row["pk"])
        found[table] = Columns(
            names=frozenset(row["name"] for row in rows),
            primary_key=tuple(name for _, name in key),
            texts=frozenset(row["name"] for row in rows if row["type"].lower() in _OF_WORDS),
        )
    assert len(found) > 30
    return found


def keyed_by_a_member(tables: Mapping[str, Columns]) -> set[str]:
    """Those whose rows belong to somebody."""
    return {name for name, table in tables.items() if "member_id" in table.names} | {
        name for name in NAMED_OTHERWISE if name in tables
    }


def undeclared(tables: Mapping[str, Columns]) -> set[str]:
    """Tables that are keyed by a member, and that no context declared."""
    return keyed_by_a_member(tables) - {table.name for table in DECLARED}


def misfits(declared: MemberTable, table: Columns) -> list[str]:
    """What a declaration says of a table that is not so."""
    blanked = declared.erasing.columns if isinstance(declared.erasing, Blank) else {}
    named = [declared.member_column, *declared.key, *declared.told, *blanked]
    found = [f"{declared.name} has no column {name}" for name in named if name not in table.names]
    # Pages are read in the order of the key, so it must name each row.
    if not set(table.primary_key) <= {declared.member_column, *declared.key}:
        found.append(f"{declared.name} has the key {table.primary_key}")
    return found


async def test_every_table_that_is_keyed_by_a_member_is_declared_once(database: str) -> None:
    tables = await catalogue()
    assert undeclared(tables) == set(), "declare them in MEMBER_TABLES of their context"
    assert {table.name for table in DECLARED} - keyed_by_a_member(tables) == set()
    assert [name for name, times in Counter(t.name for t in DECLARED).items() if times > 1] == []


async def test_what_is_declared_is_as_the_database_has_it(database: str) -> None:
    tables = await catalogue()
    assert [wrong for one in DECLARED for wrong in misfits(one, tables[one.name])] == []


async def test_a_context_that_forgets_to_join_is_named(database: str) -> None:
    await execute("CREATE TABLE parcel (member_id UUID NOT NULL PRIMARY KEY, street TEXT)")
    assert undeclared(await catalogue()) == {"parcel"}


async def test_a_declaration_that_does_not_fit_is_named(database: str) -> None:
    table = MemberTable(
        name="points_pin",
        key=("hold_id",),
        erasing=Blank({"colour": "''"}),
        merging=DECLARED[0].merging,
        told=("amount",),
    )
    assert misfits(table, (await catalogue())["points_pin"]) == [
        "points_pin has no column colour",
        "points_pin has the key ('member_id', 'hold_id', 'lot_seq')",
    ]


def test_nothing_is_kept_that_tells_who_it_was() -> None:
    """What stays after an erasure is named here by hand: somebody has to have thought about it."""
    kept = {table.name for table in DECLARED if table.erasing is Erasing.KEEP}
    assert kept == KEPT


# Numbers, moments, codes and ids alone: no word of a person or about one.
KEPT = {
    "erasure",
    # A visitor is a name that nobody can undo, of a member whose id leads to nobody.
    "game_visitor",
    "level_change",
    "member_level",
    "points_account",
    "points_audited",
    "points_draw",
    "points_entry",
    "points_lot",
    "points_lot_origin",
    "points_merge",
    "points_pin",
    "points_reversal",
    "points_reversed",
    "points_snapshot",
    "points_transferred",
    "purchase",
    "purchase_line",
    "purchase_refund",
    "purchase_refund_line",
    "qualifying_day",
    "ticket_event",
}


def left_by(declared: MemberTable, table: Columns) -> set[str]:
    """The columns in which a word could stay after an erasure, `table.column`."""
    if declared.erasing is Erasing.DELETE:
        return set()
    blanked = declared.erasing.columns if isinstance(declared.erasing, Blank) else {}
    return {f"{declared.name}.{name}" for name in table.texts - set(blanked)}


def not_told_of(declared: MemberTable, table: Columns) -> set[str]:
    """The columns of a table that an export tells, in which a word could stand that it does not."""
    told = table.texts if declared.untold else set(declared.told)
    return {f"{declared.name}.{name}" for name in table.texts - told}


async def test_a_column_of_words_is_forgotten_and_told_or_named_here(database: str) -> None:
    """A column that comes to a table that is declared already is thought about as well."""
    tables = await catalogue()
    left = {one for each in DECLARED for one in left_by(each, tables[each.name])}
    assert left - LEFT == set(), "what does an erasure do with them?"
    not_told = {one for each in DECLARED for one in not_told_of(each, tables[each.name])}
    assert not_told - NOT_TOLD == set(), "why is the member not told of them?"

    await execute("ALTER TABLE redemption ADD COLUMN wish TEXT")
    [declared] = [each for each in DECLARED if each.name == "redemption"]
    grown = (await catalogue())["redemption"]
    assert left_by(declared, grown) - LEFT == {"redemption.wish"}
    assert not_told_of(declared, grown) - NOT_TOLD == {"redemption.wish"}


# Codes, hashes, and what shops and partners call their orders, lines and events.
LEFT = {
    *(f"coupon.{name}" for name in ("code", "coupon_off", "terms_en", "terms_zh")),
    *("coupon.title_en", "coupon.title_zh"),
    *(f"level_change.{name}" for name in ("from_code", "reason", "source_kind", "to_code")),
    "member_level.level_code",
    *("level_term.asked_match", "level_term.kind", "level_term.level_code"),
    *(f"perk_use.{name}" for name in ("level_code", "perk_code", "period")),
    *("perk_use.title_en", "perk_use.title_zh"),
    *("points_account.head_hash", "points_audited.hash", "points_reversal.cause"),
    *(f"points_adjustment.{name}" for name in ("approver", "requester", "status")),
    *(f"points_entry.{name}" for name in ("content_hash", "hash", "kind", "source_kind")),
    *("points_entry.text_commitment", "points_hold.owner", "points_hold.state"),
    *(f"purchase.{name}" for name in ("channel", "currency", "external_id", "rule_code")),
    *("purchase.shop", "purchase.source", "purchase_line.line_id", "purchase_line.product_code"),
    *(f"purchase_refund.{name}" for name in ("currency", "external_id", "source")),
    "purchase_refund_line.line_id",
    *(f"reward_item.{name}" for name in ("batch_id", "code", "content_digest", "external_id")),
    *(f"reward_item.{name}" for name in ("first_status", "kind", "prize_code", "status")),
    *("reward_item.reversed_by", "reward_item.reverses"),
    *(
        f"ticket.{name}"
        for name in ("cause", "channel", "kind", "level", "shop", "status", "topic")
    ),
    *(f"ticket_event.{name}" for name in ("actor_kind", "facts", "kind")),
}

# Hashes, secrets, the workings of the programme, and what is told under another name.
NOT_TOLD = {
    *(f"outbox_parked.{name}" for name in ("consumer", "detail", "error")),
    *("points_account.head_hash", "points_entry.content_hash", "points_entry.hash"),
    *("points_entry.text_commitment", "points_entry_text.salt"),
    *("points_adjustment.approver", "points_adjustment.requester"),
    *("level_change.source_kind", "purchase.rule_code"),
    *("coupon.coupon_off", "coupon.owner", "points_hold_reference.reference"),
    *("text_check.found", "text_check.trace_id"),
    *("member_email.sealed", "notification_delivery.reason", "subscribe_consent.openid"),
    *("member_phone.key_id", "member_phone.sealed", "refresh_token.token_hash"),
    *("data_export.token", "level_term.asked_match", "perk_use.period"),
    *("game_bind_token.member_ref", "game_bind_token.token_hash"),
    *(f"reward_item.{name}" for name in ("batch_id", "code", "content_digest", "external_id")),
    *(f"reward_item.{name}" for name in ("first_status", "member_digest", "reversed_by")),
    "reward_item.reverses",
}
