"""The head of the audit log only follows its rows: it can neither go back nor name another hash.

Whoever owns the database can take the trigger away, as with every table that is only added to; then
`verify-audit` finds it.
"""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_FOLLOWS = """
    NEW.id = OLD.id AND NEW.seq > OLD.seq
    AND EXISTS (SELECT 1 FROM audit_entry WHERE seq = NEW.seq AND hash = NEW.hash)
    AND (SELECT COUNT(*) FROM audit_entry WHERE seq > OLD.seq AND seq <= NEW.seq)
        = NEW.seq - OLD.seq
"""
_REFUSAL = "audit_head only follows the rows of audit_entry"


class Migration(migration.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [
        Statements(
            postgres=[
                f"""
                CREATE FUNCTION guard_audit_head() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF TG_OP = 'UPDATE' THEN
                        IF {_FOLLOWS} THEN
                            RETURN NEW;
                        END IF;
                    END IF;
                    RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'restrict_violation';
                END
                $$
                """,
                "CREATE TRIGGER audit_head_follows BEFORE INSERT OR UPDATE OR DELETE ON audit_head "
                "FOR EACH ROW EXECUTE FUNCTION guard_audit_head()",
                "CREATE TRIGGER audit_head_no_truncate BEFORE TRUNCATE ON audit_head "
                "FOR EACH STATEMENT EXECUTE FUNCTION guard_audit_head()",
            ],
            sqlite=[
                f"CREATE TRIGGER audit_head_follows BEFORE UPDATE ON audit_head "
                f"WHEN NOT ({_FOLLOWS}) BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
                *(
                    f"CREATE TRIGGER audit_head_no_{verb.lower()} BEFORE {verb} ON audit_head "
                    f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
                    for verb in ("INSERT", "DELETE")
                ),
            ],
        ),
    ]
