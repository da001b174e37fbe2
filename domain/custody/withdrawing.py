"""Exports that turn out to tell of somebody else too: nobody may fetch them any more."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar
from uuid import UUID

import structlog

from domain.custody.exporting import file_names
from domain.files import FileStore
from domain.storage import UntilCommit, fetch_all, until_commit

log = structlog.get_logger("jifen.custody")


class _FilesToDelete(UntilCommit):
    """Files that go with the commit: one that is deleted does not come back with a rollback."""

    rank: ClassVar[int] = 2

    def __init__(self) -> None:
        self.names: list[tuple[FileStore, str]] = []

    async def before_commit(self) -> None:
        """Nothing is written."""

    def after_commit(self) -> None:
        for files, name in self.names:
            try:
                files.delete(name)
            except OSError:
                # Its link is dead already, and the job that tidies the store tries again.
                log.exception("file_not_deleted", file=name)


async def withdraw_exports(
    member_ids: Collection[UUID], *, since: datetime, files: FileStore | None, now: datetime
) -> None:
    """End these members' exports that are under way or were written since, and delete the files.

    Whoever writes one finds it gone, and leaves nothing of it. Inside the caller's transaction.
    Without `files` they are left to the job that tidies the store.
    """
    rows = await fetch_all(
        "UPDATE data_export"
        " SET status = 'FAILED', finished_at = $3, expires_at = NULL, token = NULL"
        " WHERE member_id = ANY($1::uuid[]) AND (status IN ('QUEUED', 'RUNNING')"
        " OR status IN ('READY', 'EXPIRED') AND finished_at >= $2) RETURNING id, tries",
        *(list(member_ids), since, now),
    )
    if files is not None:
        names = [name for row in rows for name in file_names(row["id"], row["tries"])]
        until_commit(_FilesToDelete).names += [(files, name) for name in names]
