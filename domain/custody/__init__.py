"""Custody: what touches one person across all contexts.

Joining two records of one person, telling a person all that is held of them, forgetting them.
"""

from domain.custody.admission import bind_phone, sign_in_with_wechat
from domain.custody.archive import write_exports
from domain.custody.bringing import (
    NEWCOMERS_MAX,
    OPENING_LOTS_MAX,
    Brought,
    Newcomer,
    OpeningLot,
    bring_members,
)
from domain.custody.consents import set_consent
from domain.custody.deletion import (
    COOLING,
    AskedBy,
    RequestDeletion,
    begin_deletion,
    cancel_deletion,
    deletion_under_way,
    request_deletion,
)
from domain.custody.erasing import ErasedAgain, erase, erase_again, erase_due, is_erased
from domain.custody.exporting import (
    LINK_LIVES,
    DataExport,
    ExportStatus,
    data_export,
    request_export,
    take_export,
    tidy_exports,
)
from domain.custody.listing import ListedMember, list_members
from domain.custody.merging import Merge, MergeBecause, merge, were_parted
from domain.custody.parting import find_merge, last_merge_of, part
from domain.custody.parts import PARTS
from domain.custody.pushes import AuthorizationChanged, AuthorizationNotice, heed
from domain.custody.staff_merges import MergeMembers, UndoMerge, merge_members, undo_merge

__all__ = [
    "COOLING",
    "LINK_LIVES",
    "NEWCOMERS_MAX",
    "OPENING_LOTS_MAX",
    "PARTS",
    "AskedBy",
    "AuthorizationChanged",
    "AuthorizationNotice",
    "Brought",
    "DataExport",
    "ErasedAgain",
    "ExportStatus",
    "ListedMember",
    "Merge",
    "MergeBecause",
    "MergeMembers",
    "Newcomer",
    "OpeningLot",
    "RequestDeletion",
    "UndoMerge",
    "begin_deletion",
    "bind_phone",
    "bring_members",
    "cancel_deletion",
    "data_export",
    "deletion_under_way",
    "erase",
    "erase_again",
    "erase_due",
    "find_merge",
    "heed",
    "is_erased",
    "last_merge_of",
    "list_members",
    "merge",
    "merge_members",
    "part",
    "request_deletion",
    "request_export",
    "set_consent",
    "sign_in_with_wechat",
    "take_export",
    "tidy_exports",
    "undo_merge",
    "were_parted",
    "write_exports",
]
