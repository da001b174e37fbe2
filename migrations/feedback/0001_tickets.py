"""Topics and causes, tickets with their deadlines, what was said in them, what happened to them."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

# What a page of the queue of staff is read by: the most urgent first, of them what is due first.
_QUEUE = "status, rank, due_at, id"


class Migration(migration.Migration):
    operations = [
        Statements(
            """
            CREATE TABLE feedback_topic (
                code TEXT NOT NULL PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
                name_zh TEXT NOT NULL CHECK (length(name_zh) BETWEEN 1 AND 100),
                name_en TEXT NOT NULL CHECK (length(name_en) BETWEEN 1 AND 100),
                active BOOLEAN NOT NULL,
                version INTEGER NOT NULL CHECK (version > 0)
            )
            """,
            # Why something went wrong, as staff find when they resolve it; of one topic or of any.
            """
            CREATE TABLE feedback_cause (
                code TEXT NOT NULL PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
                topic TEXT REFERENCES feedback_topic (code),
                name_zh TEXT NOT NULL CHECK (length(name_zh) BETWEEN 1 AND 100),
                name_en TEXT NOT NULL CHECK (length(name_en) BETWEEN 1 AND 100),
                active BOOLEAN NOT NULL,
                version INTEGER NOT NULL CHECK (version > 0)
            )
            """,
            # The numbers that people call tickets by: taken one by one, the row locked until the
            # transaction is over, so that none is given twice.
            """
            CREATE TABLE ticket_counter (
                id SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
                number BIGINT NOT NULL CHECK (number >= 0)
            )
            """,
            "INSERT INTO ticket_counter (id, number) VALUES (1, 0)",
            # Priority 4 is the most urgent; `rank` is the same for an order that goes up, a column
            # since SQLite reads no range of an index whose row begins with an expression. `due_at`
            # is the next deadline that is open, or the end of time (9999) where none is; what was
            # agreed about time is frozen here.
            """
            CREATE TABLE ticket (
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                number BIGINT NOT NULL CHECK (number > 0),
                kind TEXT NOT NULL
                    CHECK (kind IN ('QUESTION', 'COMPLAINT', 'LOSS', 'SUGGESTION', 'PRAISE')),
                topic TEXT NOT NULL REFERENCES feedback_topic (code),
                channel TEXT NOT NULL
                    CHECK (channel IN ('MINI_PROGRAM', 'APP', 'PHONE', 'EMAIL', 'SHOP')),
                status TEXT NOT NULL CHECK (status IN (
                    'OPEN', 'WAITING_FOR_MEMBER', 'ANSWERED', 'RESOLVED', 'CLOSED', 'MERGED')),
                priority SMALLINT NOT NULL CHECK (priority BETWEEN 1 AND 4),
                rank SMALLINT NOT NULL GENERATED ALWAYS AS (- priority) STORED,
                purchase_id UUID,
                submitted_at TIMESTAMPTZ NOT NULL,
                last_message_at TIMESTAMPTZ NOT NULL,
                assignee UUID,
                cause TEXT REFERENCES feedback_cause (code),
                merged_into UUID,
                policy_version INTEGER CHECK (policy_version > 0),
                calendar_version INTEGER CHECK (calendar_version > 0),
                answer_minutes INTEGER CHECK (answer_minutes > 0),
                resolve_minutes INTEGER CHECK (resolve_minutes > 0),
                answer_by TIMESTAMPTZ,
                resolve_by TIMESTAMPTZ,
                due_at TIMESTAMPTZ NOT NULL,
                answered_at TIMESTAMPTZ,
                resolved_at TIMESTAMPTZ,
                paused_at TIMESTAMPTZ,
                off_hours BOOLEAN NOT NULL,
                answer_breached_at TIMESTAMPTZ,
                resolve_breached_at TIMESTAMPTZ,
                closed_at TIMESTAMPTZ,
                reopened INTEGER NOT NULL DEFAULT 0 CHECK (reopened >= 0),
                experience SMALLINT CHECK (experience BETWEEN 1 AND 5),
                expectation SMALLINT CHECK (expectation BETWEEN 1 AND 5),
                rating_message UUID,
                rated_at TIMESTAMPTZ,
                version BIGINT NOT NULL CHECK (version > 0),
                came_with UUID,
                PRIMARY KEY (member_id, id),
                CONSTRAINT ticket_paused
                    CHECK ((paused_at IS NOT NULL) = (status = 'WAITING_FOR_MEMBER')),
                CONSTRAINT ticket_closed
                    CHECK ((closed_at IS NOT NULL) = (status IN ('CLOSED', 'MERGED'))),
                CONSTRAINT ticket_merged CHECK ((merged_into IS NOT NULL) = (status = 'MERGED')),
                CONSTRAINT ticket_resolved CHECK (status <> 'RESOLVED' OR resolved_at IS NOT NULL),
                CONSTRAINT ticket_rated CHECK ((experience IS NULL) = (rated_at IS NULL)
                    AND (experience IS NOT NULL
                         OR expectation IS NULL AND rating_message IS NULL))
            )
            """,
            "CREATE UNIQUE INDEX ticket_id ON ticket (id)",
            "CREATE UNIQUE INDEX ticket_number ON ticket (number)",
            "CREATE INDEX ticket_of_member ON ticket (member_id, submitted_at, id)",
            "CREATE INDEX ticket_merged_into ON ticket (member_id, merged_into) "
            "WHERE merged_into IS NOT NULL",
            f"CREATE INDEX ticket_queue ON ticket ({_QUEUE})",
            f"CREATE INDEX ticket_queue_of_assignee ON ticket (assignee, {_QUEUE}) "
            "WHERE assignee IS NOT NULL",
            f"CREATE INDEX ticket_queue_of_topic ON ticket (topic, {_QUEUE})",
            f"CREATE INDEX ticket_queue_of_kind ON ticket (kind, {_QUEUE})",
            # What a sweeper of broken promises has to look at.
            "CREATE INDEX ticket_answer_due ON ticket (answer_by, id) WHERE answered_at IS NULL "
            "AND answer_breached_at IS NULL AND paused_at IS NULL AND closed_at IS NULL "
            "AND answer_by IS NOT NULL",
            "CREATE INDEX ticket_resolve_due ON ticket (resolve_by, id) WHERE resolved_at IS NULL "
            "AND resolve_breached_at IS NULL AND paused_at IS NULL AND closed_at IS NULL "
            "AND resolve_by IS NOT NULL",
            "CREATE INDEX ticket_silent ON ticket (resolved_at, id) WHERE status = 'RESOLVED'",
            # One text of a conversation; `text_check` is what became of WeChat's check of it. A
            # ticket's description is its first message. What a member says with a `rating` is
            # checked like all else, and told with the rating alone.
            """
            CREATE TABLE ticket_message (
                member_id UUID NOT NULL,
                ticket_id UUID NOT NULL,
                id UUID NOT NULL,
                author_kind TEXT NOT NULL CHECK (author_kind IN ('MEMBER', 'STAFF', 'SYSTEM')),
                author_id UUID,
                text TEXT NOT NULL CHECK (length(text) <= 10000),
                at TIMESTAMPTZ NOT NULL,
                internal BOOLEAN NOT NULL,
                rating BOOLEAN NOT NULL,
                text_check TEXT NOT NULL CHECK (text_check IN (
                    'WAITING', 'CLEAR', 'REVIEW', 'RISKY', 'NOT_CHECKED', 'REFUSED')),
                came_with UUID,
                PRIMARY KEY (member_id, ticket_id, id)
            )
            """,
            "CREATE UNIQUE INDEX ticket_message_id ON ticket_message (id)",
            # What happened to a ticket, numbered 1, 2, 3 ...; its pauses follow from it.
            """
            CREATE TABLE ticket_event (
                member_id UUID NOT NULL,
                ticket_id UUID NOT NULL,
                seq INTEGER NOT NULL CHECK (seq > 0),
                at TIMESTAMPTZ NOT NULL,
                kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
                actor_kind TEXT NOT NULL CHECK (actor_kind IN ('MEMBER', 'STAFF', 'SYSTEM')),
                actor_id UUID,
                facts JSONB NOT NULL,
                came_with UUID,
                PRIMARY KEY (member_id, ticket_id, seq)
            )
            """,
        ),
    ]
