"""What the hand-written servers ask the database: one statement for each block of the page.

$1 is the member, $2 the moment, further numbers are told with each. Rows are read by position.
"""

from __future__ import annotations

from typing import Final

SESSION: Final = """
    SELECT m.nickname, m.avatar_url, m.joined_at,
           s.revoked_at IS NULL AND s.expires_at > $2
               AND (m.tokens_not_before IS NULL OR s.started_at >= m.tokens_not_before)
    FROM member AS m JOIN member_session AS s ON s.member_id = m.id
    WHERE m.id = $1 AND s.id = $3
"""
"""$3 is the session. The last column tells whether it is live."""

PROGRAM: Final = "SELECT name_zh, time_zone, currency FROM program WHERE id = 1"

FRESHNESS: Final = """
    SELECT (SELECT COUNT(*) FROM notification WHERE member_id = $1 AND read_at IS NULL),
           COALESCE((SELECT last_seq FROM outbox_stream WHERE member_id = $1), 0)
"""

LEVELS: Final = """
    SELECT l.code, l.name_zh, l.rank, l.threshold, l.amount_fen, l.purchases,
           m.level_code, m.since, m.keep_until,
           w.points::bigint, w.amount_fen::bigint, w.purchases::bigint, k.points::bigint
    FROM level AS l
    CROSS JOIN (
        SELECT ($2::timestamptz AT TIME ZONE time_zone)::date AS day FROM program WHERE id = 1
    ) AS today
    LEFT JOIN level_rules AS r ON r.id = 1
    LEFT JOIN member_level AS m ON m.member_id = $1
    CROSS JOIN LATERAL (
        SELECT CASE WHEN r.window_kind = 'CALENDAR_YEAR'
                    THEN date_trunc('year', today.day)::date - 1
                    ELSE (today.day - make_interval(months => COALESCE(r.months, 12)))::date
               END AS after
    ) AS since
    LEFT JOIN LATERAL (
        SELECT t.keep_after_day FROM level_term AS t
        WHERE t.member_id = $1 AND t.level_code = m.level_code AND t.kind <> 'GRANTED'
        ORDER BY t.keep_until DESC, t.id LIMIT 1
    ) AS e ON TRUE
    CROSS JOIN LATERAL (
        SELECT COALESCE(SUM(q.points), 0) AS points, COALESCE(SUM(q.amount_fen), 0) AS amount_fen,
               COALESCE(SUM(q.purchases), 0) AS purchases
        FROM qualifying_day AS q WHERE q.member_id = $1 AND q.day > since.after
    ) AS w
    CROSS JOIN LATERAL (
        SELECT COALESCE(SUM(q.points), 0) AS points FROM qualifying_day AS q
        WHERE q.member_id = $1 AND q.day > COALESCE(e.keep_after_day, since.after)
    ) AS k
    ORDER BY l.rank
"""

PERKS: Final = """
    SELECT p.id, p.code, p.title_zh, p.description_zh, p.kind, p.value, p.quota,
           CASE WHEN p.period = 'BIRTHDAY' THEN 0
                ELSE GREATEST(p.quota - (
               SELECT COUNT(*) FROM perk_use AS u
               WHERE u.member_id = $1 AND u.perk_code = p.code AND u.cancelled_at IS NULL
                 AND u.used_on >= date_trunc(lower(p.period), today.moment)::date
           ), 0) END,
           CASE WHEN p.period <> 'BIRTHDAY' THEN
               (date_trunc(lower(p.period), today.moment)
                + ('1 ' || lower(p.period))::interval) AT TIME ZONE today.time_zone END
    FROM perk AS p
    CROSS JOIN (
        SELECT $2::timestamptz AT TIME ZONE time_zone AS moment, time_zone
        FROM program WHERE id = 1
    ) AS today
    WHERE p.retired_at IS NULL AND p.level_code = COALESCE(
        (SELECT level_code FROM member_level WHERE member_id = $1),
        (SELECT code FROM level WHERE rank = 0)
    )
    ORDER BY p.position, p.code
"""
"""The last columns: how often it may still be used, and when that is full again."""

POINTS: Final = """
    SELECT a.available - COALESCE(d.expired, 0) + COALESCE(d.matured, 0),
           a.pending - COALESCE(d.expired_pending, 0) - COALESCE(d.matured, 0), a.held, a.debt
    FROM points_account AS a
    CROSS JOIN LATERAL (
        SELECT SUM(l.remaining - l.pinned) FILTER (
                   WHERE l.expires_at <= $2 AND NOT l.pending)::bigint AS expired,
               SUM(l.remaining - l.pinned) FILTER (
                   WHERE l.expires_at <= $2 AND l.pending)::bigint AS expired_pending,
               SUM(l.remaining - l.pinned) FILTER (WHERE l.expires_at > $2)::bigint AS matured
        FROM points_lot AS l
        WHERE a.next_change_at <= $2 AND l.member_id = $1 AND l.remaining > l.pinned
          AND (l.expires_at <= $2 OR l.pending AND l.matures_at <= $2)
    ) AS d
    WHERE a.member_id = $1
"""

EXPIRING: Final = """
    SELECT SUM(remaining - pinned)::bigint, expires_at FROM points_lot
    WHERE member_id = $1 AND expires_at > $2 AND expires_at <= $2 + interval '30 days'
      AND remaining > pinned AND NOT pending
    GROUP BY expires_at ORDER BY expires_at LIMIT 12
"""

ENTRIES: Final = """
    SELECT e.seq, e.kind, e.amount, e.balance_after, t.reason, e.effective_at, e.source_kind,
           COALESCE(t.reference, '')
    FROM points_entry AS e
    LEFT JOIN points_entry_text AS t ON t.member_id = e.member_id AND t.seq = e.seq
    WHERE e.member_id = $1 ORDER BY e.seq DESC LIMIT $2
"""
"""$2 is how many."""

COUPONS: Final = """
    SELECT id, code, title_zh, expires_at FROM coupon
    WHERE member_id = $1 AND expires_at > $2
      AND (status = 'ACTIVE' OR status = 'RESERVED' AND reserved_until <= $2)
    ORDER BY expires_at, id LIMIT 3
"""

POPULAR: Final = """
    SELECT p.score, c.id, c.title, c.image_url, c.theme_code, c.theme_name_zh, c.price_fen
    FROM popular_product AS p JOIN product_card AS c ON c.code = p.product_code
    WHERE c.active ORDER BY p.rank LIMIT $1
"""
"""$1 is how many."""

BY_NAME: Final = {
    "session": SESSION,
    "program": PROGRAM,
    "freshness": FRESHNESS,
    "levels": LEVELS,
    "perks": PERKS,
    "points": POINTS,
    "expiring": EXPIRING,
    "entries": ENTRIES,
    "coupons": COUPONS,
    "popular": POPULAR,
}
"""For the server that is not written in Python."""
