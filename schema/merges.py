"""Joining two records of one person, and parting them again: by staff."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain import custody
from domain.access import StaffRole
from domain.custody import MergeBecause
from resolvers import merges as resolvers
from schema.fields import Info, computed, enum_type, input_type, object_type, view
from schema.member_references import MemberReference
from schema.mutations import Payload, mutation
from schema.node import decode_uuid, encode_global_id
from schema.policies import staff

MERGES = staff(StaffRole.SUPPORT)
"""Who joins and parts records: those who serve members."""

enum_type(MergeBecause)


@object_type(policy=MERGES)
class MemberMerge:
    """Two records that were joined to one."""

    because: MergeBecause
    """Why they are one person's."""

    merged_at: datetime
    """When they were joined."""

    undoable_until: datetime
    """Until when they may be parted again, exclusive; only as long as neither is joined again."""

    undone_at: datetime | None
    """When they were parted again; null where they are one."""

    @computed(MERGES)
    def id(self) -> strawberry.ID:
        """The id by which the merge is undone."""
        merge: custody.Merge = view(self)
        return encode_global_id("MemberMerge", merge.id)

    @computed(MERGES)
    def keeper_id(self) -> strawberry.ID:
        """The global id of the member who has it all."""
        merge: custody.Merge = view(self)
        return encode_global_id("Member", merge.keeper_id)

    @computed(MERGES)
    def loser_id(self) -> strawberry.ID:
        """The global id of the record that was given up: it leads to the keeper."""
        merge: custody.Merge = view(self)
        return encode_global_id("Member", merge.loser_id)


@input_type()
class MergeMembersInput:
    """Which two records are one person's."""

    keep: MemberReference
    """The record that stays."""

    lose: MemberReference
    """The record that is given up; all that it has goes to the other one."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type(one_of=True, name="MergeRef")
class MergeReference:
    """How a merge is named: exactly one of these."""

    merge_id: strawberry.ID | None = strawberry.UNSET
    """The id of the merge."""

    member_id: strawberry.ID | None = strawberry.UNSET
    """The id of either record: the last merge that it took part in."""


@input_type()
class UndoMergeInput:
    """Which merge to undo."""

    merge: MergeReference
    """The merge."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@object_type(policy=MERGES)
class MergeMembersPayload(Payload):
    """What joining two records led to."""

    merge: MemberMerge | None = None
    """The merge; null when it was refused."""


@object_type(policy=MERGES)
class UndoMergePayload(Payload):
    """What parting two records led to."""

    merge: MemberMerge | None = None
    """The merge that is undone; null when that was refused."""


@mutation(MERGES)
async def merge_members(info: Info, input: MergeMembersInput) -> MergeMembersPayload:
    """Join two records of one person: points with their dates, coupons, history, the higher
    level."""
    merge: MemberMerge = view(
        await resolvers.merge_members(
            info.context,
            keep=input.keep.value(field=["keep"]),
            lose=input.lose.value(field=["lose"]),
            idempotency_key=input.idempotency_key,
        )
    )
    return MergeMembersPayload(merge=merge)


@mutation(MERGES)
async def undo_merge(info: Info, input: UndoMergeInput) -> UndoMergePayload:
    """Part two records that were joined less than a day ago. What was spent meanwhile stays
    spent."""
    merge: MemberMerge = view(
        await resolvers.undo_merge(
            info.context,
            merge_id=_uuid(input.merge.merge_id, "MemberMerge"),
            member_id=_uuid(input.merge.member_id, "Member"),
            idempotency_key=input.idempotency_key,
        )
    )
    return UndoMergePayload(merge=merge)


def _uuid(global_id: strawberry.ID | None, type_name: str) -> UUID | None:
    return decode_uuid(global_id, type_name) if global_id else None
