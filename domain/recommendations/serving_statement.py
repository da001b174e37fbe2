"""The one statement that decides what a member is shown, and reads it with all that it names.

It asks in this order whether the member agrees to personal recommendations, which model is active,
which of its lists the member has, what may be shown of them now, and, where that is nothing, what
is popular. Whoever does not agree is shown what everybody is: nothing of the member is looked at
but that.

Rows are of four parts:

    ITEM       a product of a list: `list`, `nth` (its place there, from 1), `item` (its row of the
               list, as JSON), its card
    PRODUCT    the card of a product that a reason names
    THEME      a theme that a reason names: `theme_code` and its names
    POPULAR    a popular product, `nth` from 1, its card, `score`, its share of all purchase lines;
               where the member's themes count (`themed`) it is ranked by `theme_part` and
               `popular_part` instead
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

from domain import catalogue, members, tiers
from domain.recommendations.consenting import PERSONALIZATION
from domain.recommendations.offering import NEW_PRODUCTS_MAX
from domain.recommendations.surfaces import Surface

Engine = Literal["postgres", "sqlite"]

_ELEMENTS: Final[dict[str, str]] = {
    "postgres": "jsonb_array_elements({json}) WITH ORDINALITY AS {name} (value, key)",
    "sqlite": "json_each({json}) AS {name}",
}

# Moments are text in SQLite, and texts compare as the moments do, up to the last second.
_A_MONTH_BEFORE: Final[dict[str, str]] = {
    "postgres": "MIN(l.computed_at) - INTERVAL '30 days'",
    "sqlite": "datetime(MIN(l.computed_at), '-30 days')",
}

_CARD: Final = "c.id, c.code, c.title, c.image_url, c.price_fen, c.theme_code"
_NAMES: Final = "c.theme_name_zh, c.theme_name_en"
_COLUMNS: Final = "id, code, title, image_url, price_fen, theme_code, theme_name_zh, theme_name_en"


def _may_see(level_code: str) -> str:
    """Who agrees sees what their level may see; everybody else, what everybody may."""
    return f"""(
    {level_code} IS NULL
    OR (SELECT a.yes FROM agrees AS a) AND {tiers.level_allows(level_code, member="$1")}
)"""


_MAY_SEE: Final = _may_see("c.level_code")
_WANTED: Final = "NOT EXISTS (SELECT 1 FROM unwanted AS u WHERE u.product_code = c.code)"

# What a surface shows at all, beside what is on sale: of the card `c`, as of $3. Of rewards, what
# the member could redeem.
_GIVEN: Final = f"""
    SELECT r.product_code AS code FROM reward_product AS r
    WHERE (r.begins_at IS NULL OR r.begins_at <= $3) AND (r.ends_at IS NULL OR r.ends_at > $3)
      AND (r.stock IS NULL OR r.stock > 0) AND {_may_see("r.level_code")}
"""
_ON_OFFER: Final = f"c.code IN ({_GIVEN})"
_NEW: Final = "c.introduced_at > $8 AND c.introduced_at <= $3"
_SHOWS: Final[dict[Surface, str]] = {
    Surface.HOME: "TRUE",
    Surface.AFTER_PURCHASE: "TRUE",
    Surface.REWARDS: _ON_OFFER,
    Surface.LETTERS: _NEW,
}
_OWNED_TOO: Final = frozenset({Surface.REWARDS})
"""Where what the member has may be shown again, in whatever list."""

# What popular products are chosen from. Of all, those everybody buys in the order of their rank, no
# more than are shown, and those of the member's themes; of what is new, the newest.
_OF_ALL: Final = f"""
    SELECT code FROM (
        SELECT c.code FROM popular_product AS p JOIN product_card AS c ON c.code = p.product_code
        WHERE c.active AND {_MAY_SEE} AND {_WANTED}
        ORDER BY p.rank LIMIT $4
    ) AS ranked
    UNION
    SELECT p.product_code FROM popular_product AS p JOIN themes AS d ON d.code = p.theme_code
"""
_NEWEST: Final = f"""
    SELECT c.code FROM product_card AS c WHERE c.active AND {_MAY_SEE} AND {_WANTED} AND {_NEW}
    ORDER BY c.introduced_at DESC LIMIT {NEW_PRODUCTS_MAX}
"""
_CANDIDATES: Final[dict[Surface, str]] = {
    Surface.HOME: _OF_ALL,
    Surface.AFTER_PURCHASE: _OF_ALL,
    Surface.REWARDS: _GIVEN,
    Surface.LETTERS: _NEWEST,
}


@lru_cache(maxsize=16)
def statement(surface: Surface, engine: Engine) -> str:
    """The statement for a surface.

    $1 the member, $2 the lists to show in turn, $3 now, $4 how many, $5 whether popular products
    stand in for lists that show nothing, $6 the weight of popularity, $7 that of a declared theme;
    for LETTERS alone $8, since when something is new.
    """
    return f"""
WITH agrees AS MATERIALIZED (
    SELECT {members.agreed_to(PERSONALIZATION)} AS yes
), model AS MATERIALIZED (
    SELECT m.version FROM recommendation_model AS m, agrees AS a WHERE m.status = 'ACTIVE' AND a.yes
), unwanted AS MATERIALIZED (
    SELECT n.product_code FROM not_interested AS n, agrees AS a WHERE n.member_id = $1 AND a.yes
), listed AS MATERIALIZED (
    SELECT l.list, l.items, l.computed_at
    FROM model AS m JOIN recommendation_list AS l ON l.version = m.version
    WHERE l.member_id = $1 AND l.list = ANY($2::text[])
), {_owned(engine)}, shown AS MATERIALIZED (
    {_shown(surface, engine)}
), cited AS MATERIALIZED (
    SELECT DISTINCT r.value ->> 0 AS kind, r.value ->> 1 AS code
    FROM shown AS s, {_elements("s.reasons", "r", engine)}
), themes AS MATERIALIZED (
    SELECT d.theme_code AS code FROM ({members.DECLARED_THEMES}) AS d, agrees AS a WHERE a.yes
), {_popular(surface)}
SELECT 'ITEM' AS part, list, nth, CAST(item AS TEXT) AS item, FALSE AS themed,
       0.0::float8 AS score, 0.0::float8 AS theme_part, 0.0::float8 AS popular_part, {_COLUMNS}
FROM shown
UNION ALL
SELECT 'PRODUCT', NULL, 0, NULL, FALSE, 0.0, 0.0, 0.0, {_CARD}, {_NAMES}
FROM cited AS x JOIN product_card AS c ON c.code = x.code WHERE x.kind = 'B'
UNION ALL
SELECT 'THEME', NULL, 0, NULL, FALSE, 0.0, 0.0, 0.0, NULL, NULL, NULL, NULL, NULL,
       t.code, t.name_zh, t.name_en
FROM cited AS x JOIN ({catalogue.THEMES}) AS t ON t.code = x.code WHERE x.kind = 'I'
UNION ALL
SELECT 'POPULAR', NULL, nth, NULL, EXISTS (SELECT 1 FROM themes), score, theme_part, popular_part,
       {_COLUMNS}
FROM popular
"""


def _owned(engine: Engine) -> str:
    """What the member got since the lists were computed, which the lists do not know.

    Orders are found by when they were placed: those of a month and more before the lists are left
    to the next ones.
    """
    return f"""since AS MATERIALIZED (
    SELECT MIN(l.computed_at) AS at, {_A_MONTH_BEFORE[engine]} AS placed_at FROM listed AS l
), owned AS MATERIALIZED (
    SELECT b.product_code FROM since AS s JOIN bought_product AS b ON b.placed_at > s.placed_at
    WHERE b.member_id = $1 AND b.recorded_at > s.at AND b.recorded_at <= $3
    UNION ALL
    SELECT r.product_code FROM since AS s JOIN redeemed_product AS r ON r.redeemed_at > s.at
    WHERE r.member_id = $1 AND r.redeemed_at <= $3
)"""


def _shown(surface: Surface, engine: Engine) -> str:
    """The first $4 of the lists, from each in turn, of what may be shown now."""
    new = "NOT EXISTS (SELECT 1 FROM owned AS o WHERE o.product_code = c.code)"
    unowned = "TRUE" if surface in _OWNED_TOO else f"(l.list = 'BUY_AGAIN' OR {new})"
    return f"""
    SELECT * FROM (
        SELECT l.list, ROW_NUMBER() OVER (PARTITION BY l.list ORDER BY e.key) AS nth,
               e.value AS item, e.value -> 2 AS reasons, {_CARD}, {_NAMES}
        FROM listed AS l, {_elements("l.items", "e", engine)}, product_card AS c
        WHERE c.code = e.value ->> 0
          AND c.active AND {_MAY_SEE} AND {_WANTED} AND {unowned} AND {_SHOWS[surface]}
    ) AS allowed
    ORDER BY nth, CASE list WHEN 'BUY_AGAIN' THEN 1 ELSE 0 END
    LIMIT $4
    """


def _popular(surface: Surface) -> str:
    """The first $4 popular products, where lists show nothing and these stand in for them.

    What came lately is not among the popular ones yet: there, a theme counts by itself.
    """
    share = "CASE WHEN p.theme_code = c.theme_code THEN p.theme_share ELSE 0.0 END"
    themed = "1.0" if surface is Surface.LETTERS else share
    return f"""candidate AS MATERIALIZED ({_CANDIDATES[surface]}
), popular AS MATERIALIZED (
    SELECT ROW_NUMBER() OVER (ORDER BY theme_part + popular_part DESC, rank, id DESC) AS nth, x.*
    FROM (
        SELECT {_CARD}, {_NAMES}, COALESCE(p.rank, 1000000000) AS rank,
               COALESCE(p.score, 0.0) AS score,
               $7::float8 * CASE WHEN d.code IS NULL THEN 0.0 ELSE {themed} END AS theme_part,
               $6::float8 * COALESCE(p.score / NULLIF(b.score, 0), 0.0) AS popular_part
        FROM product_card AS c
        CROSS JOIN (SELECT MAX(t.score) AS score FROM popular_product AS t) AS b
        LEFT JOIN popular_product AS p ON p.product_code = c.code
        LEFT JOIN themes AS d ON d.code = c.theme_code
        WHERE $5::boolean AND NOT EXISTS (SELECT 1 FROM shown)
          AND c.code IN (SELECT k.code FROM candidate AS k)
          AND c.active AND {_MAY_SEE} AND {_WANTED}
    ) AS x
    ORDER BY nth LIMIT $4
)"""


def _elements(json: str, name: str, engine: Engine) -> str:
    return _ELEMENTS[engine].format(json=json, name=name)
