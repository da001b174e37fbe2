"""Whether a member stands high enough, for the statements of contexts above (decisions/0005)."""

from __future__ import annotations


def level_allows(level_code: str, *, member: str) -> str:
    """SQL that is true where a member's rank is that of the level or above; never NULL.

    Both are SQL: a column or a placeholder that holds the code, which is NULL where everybody may,
    and one that holds the member's id. A code that names no level shuts everybody out. Each side
    is found by its key.
    """
    return (
        f"({level_code} IS NULL OR COALESCE("
        f"(SELECT n.rank FROM level_rank AS n WHERE n.level_code = {level_code})"
        f" <= COALESCE((SELECT h.rank FROM member_rank AS h WHERE h.member_id = {member}), 0)"
        ", FALSE))"
    )
