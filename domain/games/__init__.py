"""Interactive games: partner platforms and their keys, campaigns, and the rewards that they push.

How a partner connects is docs/partners.md. `signatures` and `partner_terms` decide purely.
"""

from domain.games.bindings import bind_member, unbind_member
from domain.games.campaign_definitions import (
    CHANGEABLE_OF_CAMPAIGN,
    ChangeGameCampaign,
    DefineGameCampaign,
    change_game_campaign,
    define_game_campaign,
    freeze_disclosure,
)
from domain.games.campaigns import (
    Disclosure,
    GameCampaign,
    Prize,
    campaigns_by_ids,
    campaigns_of,
    game_campaigns,
)
from domain.games.client_assertions import ASSERTION_CHARACTERS_MAX
from domain.games.guards import PartnerGuard, partner_guard
from domain.games.member_tables import MEMBER_TABLES
from domain.games.partner_keys import (
    AddPartnerKey,
    KeyAdded,
    KeyKind,
    PartnerKey,
    add_partner_key,
    keys_of,
    newest_keys,
    retire_partner_key,
)
from domain.games.partner_tokens import ByAssertion, BySecret, Granted, GrantRefused, grant_token
from domain.games.partners import (
    CHANGEABLE,
    ChangePartner,
    Partner,
    RegisterPartner,
    change_partner,
    disable_partner,
    enable_partner,
    find_partner,
    known_partner,
    partner_of,
    partners_page,
    register_partner,
)
from domain.games.pushing import PushRewards, push_rewards
from domain.games.receipts import (
    RECEIPTS_MAX,
    BatchSummary,
    Counts,
    RewardBatch,
    RewardReceipt,
    StandingReceipt,
    reward_batch,
    signed_words,
    standing_receipts,
)
from domain.games.reward_items import ITEMS_MAX, RETRYABLE, RewardItem, RewardItemKind, RewardStatus
from domain.games.reward_reading import (
    GameReward,
    GameRewardStatus,
    LedgerLine,
    game_reward,
    game_rewards,
    partner_ledger,
)
from domain.games.signatures import SignatureHeaders, SignatureRefused, verify_signature

__all__ = [
    "ASSERTION_CHARACTERS_MAX",
    "CHANGEABLE",
    "CHANGEABLE_OF_CAMPAIGN",
    "ITEMS_MAX",
    "MEMBER_TABLES",
    "RECEIPTS_MAX",
    "RETRYABLE",
    "AddPartnerKey",
    "BatchSummary",
    "ByAssertion",
    "BySecret",
    "ChangeGameCampaign",
    "ChangePartner",
    "Counts",
    "DefineGameCampaign",
    "Disclosure",
    "GameCampaign",
    "GameReward",
    "GameRewardStatus",
    "GrantRefused",
    "Granted",
    "KeyAdded",
    "KeyKind",
    "LedgerLine",
    "Partner",
    "PartnerGuard",
    "PartnerKey",
    "Prize",
    "PushRewards",
    "RegisterPartner",
    "RewardBatch",
    "RewardItem",
    "RewardItemKind",
    "RewardReceipt",
    "RewardStatus",
    "SignatureHeaders",
    "SignatureRefused",
    "StandingReceipt",
    "add_partner_key",
    "bind_member",
    "campaigns_by_ids",
    "campaigns_of",
    "change_game_campaign",
    "change_partner",
    "define_game_campaign",
    "disable_partner",
    "enable_partner",
    "find_partner",
    "freeze_disclosure",
    "game_campaigns",
    "game_reward",
    "game_rewards",
    "grant_token",
    "keys_of",
    "known_partner",
    "newest_keys",
    "partner_guard",
    "partner_ledger",
    "partner_of",
    "partners_page",
    "push_rewards",
    "register_partner",
    "retire_partner_key",
    "reward_batch",
    "signed_words",
    "standing_receipts",
    "unbind_member",
    "verify_signature",
]
