"""What the demo's seed amounts to, asked of its SQLite database."""

from __future__ import annotations

HISTORY = """
    SELECT i.subject, a.available, a.version, m.nickname,
           (SELECT COUNT(*) FROM purchase p WHERE p.member_id = m.id),
           (SELECT COUNT(*) FROM member_interest t WHERE t.member_id = m.id),
           (SELECT COUNT(*) FROM redemption d WHERE d.member_id = m.id),
           (SELECT COUNT(*) FROM coupon c WHERE c.member_id = m.id),
           (SELECT level_code FROM member_level l WHERE l.member_id = m.id)
    FROM member m
    JOIN member_identity i ON i.member_id = m.id AND i.kind = 'wechat_openid'
    JOIN points_account a ON a.member_id = m.id
    ORDER BY i.subject
"""
"""Of each member, whoever made it in how many attempts."""

REDEEMED = """
    SELECT r.code, r.kind, d.status, d.points_spent = r.points_price, d.entry_seq IS NOT NULL,
           (SELECT COUNT(*) FROM coupon c
            WHERE c.member_id = d.member_id AND c.redemption_id = d.id)
    FROM redemption d JOIN reward r ON r.id = d.reward_id
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1
"""
"""What was redeemed: paid at its price, by an entry, with so many coupons."""

SPENT_ON_NOTHING = """
    SELECT e.member_id, e.seq FROM points_entry e
    WHERE e.kind = 'REDEEM' AND NOT EXISTS (
        SELECT 1 FROM redemption d WHERE d.paid_by = e.member_id AND d.entry_seq = e.seq
    )
"""
"""Entries that no redemption stands behind."""
