"""The roots of the schema, and the schema itself."""

from __future__ import annotations

from functools import cache

from schema import (
    addresses,
    adjustments,
    behavior,
    consents,
    contacts,
    coupon_checkout,
    custody,
    defining,
    deliveries,
    emails,
    feedback_definitions,
    game_bindings,
    game_campaigns,
    game_events,
    game_partners,
    games,
    held_messages,
    holds,
    level_grants,
    members,
    merges,
    notes,
    notification_settings,
    notifications,
    order_notices,
    partners,
    perks,
    phones,
    profile,
    programme_settings,
    purchases,
    pushed_rewards,
    recommendations,
    redemptions,
    returns,
    reward_definitions,
    rewards,
    service_levels,
    sessions,
    ticket_acts,
    ticket_parts,
    tickets,
    transfers,
    webhook_replays,
)
from schema import program as programs
from schema import staff as staffs
from schema.building import JifenSchema, make_schema
from schema.catalogue import Product
from schema.connections import Connection
from schema.cost import READS, STATEMENT_COST, Cost
from schema.documents import DocumentLimits
from schema.fields import field, object_type
from schema.ledger import LedgerEntry
from schema.node import Node, resolve_node
from schema.policies import CLIENT, OWNER, PUBLIC, staff
from schema.rewards import Coupon, Reward
from schema.subscriptions import Subscription


@object_type()
class Query:
    """What can be read."""

    program: programs.Program | None = field(
        PUBLIC, resolver=programs.program, cost=READS, versioned=True
    )
    rewards: Connection[Reward] | None = field(PUBLIC, resolver=rewards.list_rewards, cost=READS)
    game_campaigns: Connection[games.GameCampaign] | None = field(
        PUBLIC, resolver=games.list_game_campaigns, cost=READS
    )
    consent_texts: list[consents.ConsentText] | None = field(
        PUBLIC,
        resolver=consents.consent_texts,
        cost=Cost(own=STATEMENT_COST, items=10),
        versioned=True,
    )
    feedback_topics: list[ticket_parts.FeedbackTopic] | None = field(
        PUBLIC,
        resolver=tickets.feedback_topics,
        cost=Cost(own=STATEMENT_COST, items=50),
        versioned=True,
    )
    me: members.Member | None = field(OWNER, resolver=members.me, versioned=True)
    partner: partners.Partner | None = field(CLIENT, resolver=partners.partner)
    staff: staffs.Staff | None = field(staff(), resolver=staffs.staff)
    node: Node | None = field(PUBLIC, resolver=resolve_node, cost=READS, versioned=True)


@object_type()
class Mutation:
    """What can be changed. Every mutation takes one `input` and answers one payload."""

    sign_in_with_we_chat = sessions.sign_in_with_we_chat
    request_sign_in_code = phones.request_sign_in_code
    sign_in_with_phone = phones.sign_in_with_phone
    bind_phone = phones.bind_phone
    set_email = emails.set_email
    confirm_email = emails.confirm_email
    accept_subscribe_messages = deliveries.accept_subscribe_messages
    replay_notification_deliveries = deliveries.replay_notification_deliveries
    refresh_session = sessions.refresh_session
    sign_out = sessions.sign_out
    update_profile = profile.update_profile
    set_interests = profile.set_interests
    set_consent = consents.set_consent
    mark_notifications_read = notifications.mark_notifications_read
    set_notification_preferences = notification_settings.set_notification_preferences
    track_behavior = behavior.track_behavior
    set_not_interested = recommendations.set_not_interested
    export_my_data = custody.export_my_data
    request_account_deletion = custody.request_account_deletion
    cancel_account_deletion = custody.cancel_account_deletion
    transfer_points = transfers.transfer_points
    record_purchases = purchases.record_purchases
    record_order_notices = order_notices.record_order_notices
    record_refunds = returns.record_refunds
    hold_points = holds.hold_points
    capture_points = holds.capture_points
    release_points = holds.release_points
    add_member_note = notes.add_member_note
    merge_members = merges.merge_members
    undo_merge = merges.undo_merge
    set_service_contacts = contacts.set_service_contacts
    adjust_points = adjustments.adjust_points
    approve_adjustment = adjustments.approve_adjustment
    redeem_reward = redemptions.redeem_reward
    cancel_redemption = redemptions.cancel_redemption
    set_redemption_address = redemptions.set_redemption_address
    add_address = addresses.add_address
    remove_address = addresses.remove_address
    reserve_coupon = coupon_checkout.reserve_coupon
    confirm_coupon = coupon_checkout.confirm_coupon
    release_coupon = coupon_checkout.release_coupon
    define_reward = reward_definitions.define_reward
    change_reward = reward_definitions.change_reward
    use_perk = perks.use_perk
    cancel_perk_use = perks.cancel_perk_use
    define_level = defining.define_level
    change_level = defining.change_level
    define_perk = defining.define_perk
    change_perk = defining.change_perk
    retire_perk = defining.retire_perk
    set_level_rules = defining.set_level_rules
    grant_level = level_grants.grant_level
    end_level_grant = level_grants.end_level_grant
    publish_earning_rule = programme_settings.publish_earning_rule
    set_programme = programme_settings.set_programme
    import_programme = programme_settings.import_programme
    define_notification_text = notification_settings.define_notification_text
    define_service_calendar = service_levels.define_service_calendar
    define_service_levels = service_levels.define_service_levels
    review_message = held_messages.review_message
    ship_redemption = redemptions.ship_redemption
    deliver_redemption = redemptions.deliver_redemption
    register_partner = game_partners.register_partner
    change_partner = game_partners.change_partner
    disable_partner = game_partners.disable_partner
    enable_partner = game_partners.enable_partner
    add_partner_key = game_partners.add_partner_key
    retire_partner_key = game_partners.retire_partner_key
    replay_webhooks = webhook_replays.replay_webhooks
    enable_webhooks = webhook_replays.enable_webhooks
    create_game_binding = game_bindings.create_game_binding
    remove_game_binding = game_bindings.remove_game_binding
    exchange_bind_token = game_bindings.exchange_bind_token
    push_rewards = pushed_rewards.push_rewards
    record_game_events = game_events.record_game_events
    define_game_campaign = game_campaigns.define_game_campaign
    change_game_campaign = game_campaigns.change_game_campaign
    freeze_disclosure = game_campaigns.freeze_disclosure
    submit_feedback = tickets.submit_feedback
    reply_ticket = tickets.reply_ticket
    rate_ticket = tickets.rate_ticket
    open_ticket = ticket_acts.open_ticket
    answer_ticket = ticket_acts.answer_ticket
    ask_member = ticket_acts.ask_member
    note_ticket = ticket_acts.note_ticket
    resolve_ticket = ticket_acts.resolve_ticket
    assign_ticket = ticket_acts.assign_ticket
    reopen_ticket = ticket_acts.reopen_ticket
    merge_tickets = ticket_acts.merge_tickets
    define_feedback_topic = feedback_definitions.define_feedback_topic
    define_feedback_cause = feedback_definitions.define_feedback_cause


def build_schema(limits: DocumentLimits | None = None) -> JifenSchema:
    """The whole schema; `limits` bound its documents and do not change its SDL."""
    return _whole_schema().within(limits or DocumentLimits())


@cache
def _whole_schema() -> JifenSchema:
    """Its types, put together once in a process."""
    return make_schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Product, LedgerEntry, Coupon, custody.DataExport],
    )


def sdl() -> str:
    """The schema in SDL, as `schema/schema.graphql` keeps it."""
    return _whole_schema().sdl
