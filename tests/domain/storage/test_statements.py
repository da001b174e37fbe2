"""Statements are written once, in PostgreSQL's words, and rewritten for SQLite."""

from __future__ import annotations

import pytest

from domain.storage.engines.statements import for_sqlite


@pytest.mark.parametrize(
    ("postgres", "sqlite"),
    [
        # $10 is not $1 followed by a zero, and a number may come twice or in any order.
        ("VALUES ($1, $2, $10, $1)", "VALUES (?1, ?2, ?10, ?1)"),
        ("SELECT $2, $1", "SELECT ?2, ?1"),
        ("a = ANY($1::uuid[])", "a IN (SELECT value FROM json_each(?1))"),
        ("a=any( $12 )", "a IN (SELECT value FROM json_each(?12))"),
        ("a = ANY ($1::text[])", "a IN (SELECT value FROM json_each(?1))"),
        ("SUM(points)::bigint AS points", "SUM(points) AS points"),
        ("$3::text IS NULL", "?3 IS NULL"),
        ("$1 :: text[]", "?1 "),
        ("WHERE a = $1 FOR UPDATE", "WHERE a = ?1 "),
        ("ORDER BY a FOR NO KEY UPDATE", "ORDER BY a "),
        ("LIMIT $1 FOR UPDATE SKIP LOCKED", "LIMIT ?1 "),
        ("for  no\n key update", ""),
        # What only looks like it is left alone.
        ("'$1 ::text FOR UPDATE'", "'$1 ::text FOR UPDATE'"),
        ("'it''s $1' || $1", "'it''s $1' || ?1"),
        ('"$1" = $1', '"$1" = ?1'),
        ('"a""$1" = $2', '"a""$1" = ?2'),
        ("SELECT 1 -- the member's $1\n, $2, 'x'", "SELECT 1 -- the member's $1\n, ?2, 'x'"),
        ("UPDATE t SET a = 1", "UPDATE t SET a = 1"),
        ("SELECT update_for FROM t", "SELECT update_for FROM t"),
    ],
)
def test_a_statement_is_rewritten_for_sqlite(postgres: str, sqlite: str) -> None:
    assert for_sqlite(postgres) == sqlite


def test_rewriting_what_is_rewritten_changes_nothing_more() -> None:
    once = for_sqlite("SELECT $1::text FROM t WHERE a = ANY($2::uuid[]) FOR UPDATE")
    assert for_sqlite(once) == once
