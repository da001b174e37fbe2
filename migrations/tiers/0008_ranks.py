"""The rank of each level, and of each member's, for statements of contexts above (decisions/0005).

Who is not in `member_rank` stands at the base, whose rank is 0.
"""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("tiers", "0007_due_in_order")]

    operations = [
        Statements(
            "CREATE VIEW level_rank AS SELECT l.code AS level_code, l.rank FROM level AS l",
            """
            CREATE VIEW member_rank AS
            SELECT m.member_id, l.rank
            FROM member_level AS m
            JOIN level AS l ON l.code = m.level_code
            """,
        ),
    ]
