"""Importing members: read and stage the file, then bring them, some hundreds at a time.

The file is judged as a whole before anybody of it is brought. Each batch is one transaction, so a
run that is killed leaves whole members, and the same command run again goes on with the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from api.imports.mapping import ColumnMapping
from api.imports.member_rows import MemberForm, MemberRow, MemberRows
from api.imports.member_staging import MemberStaging, StagedMember
from api.imports.progress import Reporter, Stage
from api.imports.purchase_import import Now
from api.imports.reading import SourceFile
from api.imports.rejects import Reject, RejectCode, Rejects
from domain.custody import OPENING_LOTS_MAX, bring_members
from domain.errors import IdempotencyConflict, InvalidInput, Refusal

_BATCH_MEMBERS: Final = 250
_BATCH_LOTS: Final = 1_000
"""A batch ends with the member who reaches either."""

_CODES: Final = {
    **dict.fromkeys(
        (
            *("external_id", "member_id", "phone", "wechat_openid", "wechat_unionid"),
            *("alipay", "shop_card"),
        ),
        RejectCode.IDENTITY_REFUSED,
    ),
    **dict.fromkeys(("nickname", "avatar_url", "preferred_channel"), RejectCode.TEXT_INVALID),
    **dict.fromkeys(
        (
            *("birthday", "joined_at", "level_since", "level_keep_until"),
            *("points_expires_at", "points_earned_at"),
        ),
        RejectCode.DATE_INVALID,
    ),
    "gender": RejectCode.GENDER_INVALID,
    "themes": RejectCode.INTERESTS_INVALID,
    "level": RejectCode.LEVEL_INVALID,
    "lots": RejectCode.LOTS_INVALID,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberImport:
    """What to import and how."""

    file: SourceFile
    mapping: ColumnMapping
    form: MemberForm
    rejects_path: Path


@dataclass(slots=True, kw_only=True)
class MemberCounts:
    """What came of a file; every row is imported, known from before, or rejected.

    `members` were brought by this run, with so many `lots` of so many `points`; `created` of them
    were not known at all before.
    """

    rows: int = 0
    imported: int = 0
    known: int = 0
    rejected: int = 0
    members: int = 0
    created: int = 0
    lots: int = 0
    points: int = 0
    rejected_by_code: dict[str, int] = field(default_factory=dict)

    def told(self) -> Sequence[str]:
        """What became of the rows, in words."""
        return [
            f"{self.imported:,} imported",
            f"{self.known:,} there already",
            f"{self.rejected:,} rejected",
            f"{self.members:,} members ({self.created:,} new)",
            f"{self.lots:,} lots",
            f"{self.points:,} points",
        ]


async def import_members(command: MemberImport, *, now: Now, reporter: Reporter) -> MemberCounts:
    """Import the file into the connected database; returns the counts.

    Raises UnusableFile, with nothing imported, where the file as a whole cannot be read.
    """
    counts = MemberCounts()
    staging, rejects = MemberStaging(), Rejects()
    try:
        _stage(command, staging=staging, rejects=rejects, counts=counts, reporter=reporter)
        with reporter.stage("importing", total=counts.rows - rejects.count) as stage:
            for batch in _batches(staging, rejects, stage):
                await _bring(batch, rejects=rejects, counts=counts, now=now)
                stage.advance(sum(len(staged.rows) for staged in batch))
        rejects.write(command.rejects_path, command.file)
        counts.rejected = rejects.count
        counts.rejected_by_code = dict(rejects.by_code)
        assert counts.imported + counts.known + counts.rejected == counts.rows, "no row is lost"
    finally:
        staging.close()
        rejects.close()
    return counts


def _stage(
    command: MemberImport,
    *,
    staging: MemberStaging,
    rejects: Rejects,
    counts: MemberCounts,
    reporter: Reporter,
) -> None:
    """Read all rows: those that can be read into the staging, the others to the rejects."""
    reader = MemberRows(command.mapping, command.form)
    width_differs = Reject(
        RejectCode.COLUMN_COUNT.value, f"the row does not have {len(command.file.columns)} columns"
    )
    with reporter.stage("reading", total=command.file.rows_total) as stage:
        for chunk in command.file.chunks(command.mapping.columns):
            rows: list[tuple[int, MemberRow]] = []
            refused: list[tuple[int, Reject]] = []
            whose: list[tuple[int, str]] = []
            for number, values in enumerate(chunk, start=counts.rows + 1):
                outcome = width_differs if values is None else reader.read(values)
                if isinstance(outcome, MemberRow):
                    rows.append((number, outcome))
                    continue
                refused.append((number, outcome))
                external_id = None if values is None else reader.external_id_of(values)
                if external_id is not None:
                    whose.append((number, external_id))
            staging.add(rows)
            staging.add_refused(whose)
            rejects.add(refused)
            counts.rows += len(chunk)
            stage.advance(len(chunk))


def _batches(
    staging: MemberStaging, rejects: Rejects, stage: Stage
) -> Iterator[list[StagedMember]]:
    """The members in batches of a bounded size; rows that make no member are rejected."""
    batch: list[StagedMember] = []
    lots = 0
    for staged in staging.members(lots_max=OPENING_LOTS_MAX):
        if not isinstance(staged, StagedMember):
            rejects.add(staged)
            stage.advance(len(staged))
            continue
        batch.append(staged)
        lots += len(staged.newcomer.lots)
        if len(batch) == _BATCH_MEMBERS or lots >= _BATCH_LOTS:
            yield batch
            batch, lots = [], 0
    if batch:
        yield batch


async def _bring(
    batch: Sequence[StagedMember], *, rejects: Rejects, counts: MemberCounts, now: Now
) -> None:
    outcomes = await bring_members([staged.newcomer for staged in batch], now=now())
    for staged, outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, Refusal):
            reject = _reject(outcome)
            rejects.add((row, reject) for row in staged.rows)
        elif outcome.replayed:
            counts.known += len(staged.rows)
        else:
            counts.imported += len(staged.rows)
            counts.members += 1
            counts.created += outcome.is_new
            counts.lots += len(staged.newcomer.lots)
            counts.points += outcome.points


def _reject(refusal: Refusal) -> Reject:
    """A refusal of the whole member as the reason of each of their rows."""
    if isinstance(refusal, InvalidInput) and refusal.field is not None:
        name = refusal.field[0]
        shown = "interests" if name == "themes" else name
        return Reject(_CODES[name].value, f"{shown}: {refusal.rule}")
    if isinstance(refusal, IdempotencyConflict):
        differing = ", ".join(refusal.differing)
        reason = f"the member was imported before with other points or another level: {differing}"
        return Reject(refusal.code.value, reason)
    documented = (type(refusal).__doc__ or "").partition("\n")[0]
    reason = f"the member was refused: {documented.removeprefix('Returned when ').rstrip('.')}"
    return Reject(refusal.code.value, reason)
