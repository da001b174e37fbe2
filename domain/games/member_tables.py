"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Blank, Erasing, MemberTable, MemberTables, Merging

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="game_binding",
        key=("partner_id", "member_ref"),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("partner_id", "member_ref", "bound_at", "unbound_at", "consent_version"),
    ),
    MemberTable(
        name="game_bind_token",
        key=("token_hash",),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        untold="hashes of secrets that live for minutes",
    ),
    MemberTable(
        name="game_visitor",
        key=("campaign_id", "visitor"),
        # What a campaign came to stays. The visitor is a name that nobody can undo (events.py).
        erasing=Erasing.KEEP,
        merging=Merging.MOVE,
        told=("campaign_id", "first_at", "played", "is_new", "bought"),
    ),
    MemberTable(
        name="reward_item",
        key=("partner_id", "external_id"),
        # A partner's number of an event may name a person, and so may the digest of a name.
        erasing=Blank({"business_reference": "NULL", "member_digest": "''"}),
        merging=Merging.MOVE,
        told=(
            "id",
            "partner_id",
            "campaign_id",
            "kind",
            "points",
            "occurred_at",
            "status",
            "business_reference",
            "prize_code",
            "disclosure_version",
        ),
    ),
)
