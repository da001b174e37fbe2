"""Custody: what touches one person across all contexts.

Joining two records of one person, telling a person all that is held of them, forgetting them.
"""

from domain.custody.archive import write_exports
from domain.custody.bringing import (
    NEWCOMERS_MAX,
    OPENING_LOTS_MAX,
    Brought,
    Newcomer,
    OpeningLot,
    bring_members,
)
from domain.custody.deletion import (
    COOLING,
    AskedBy,
    RequestDeletion,
    begin_deletion,
    cancel_deletion,
    request_deletion,
)
from domain.custody.erasing import erase, erase_again, erase_due, is_erased
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
from domain.custody.parts import PARTS

__all__ = [
    "COOLING",
    "LINK_LIVES",
    "NEWCOMERS_MAX",
    "OPENING_LOTS_MAX",
    "PARTS",
    "AskedBy",
    "Brought",
    "DataExport",
    "ExportStatus",
    "ListedMember",
    "Newcomer",
    "OpeningLot",
    "RequestDeletion",
    "begin_deletion",
    "bring_members",
    "cancel_deletion",
    "data_export",
    "erase",
    "erase_again",
    "erase_due",
    "is_erased",
    "list_members",
    "request_deletion",
    "request_export",
    "take_export",
    "tidy_exports",
    "write_exports",
]
