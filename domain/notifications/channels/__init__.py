"""Telling members outside of the inbox: WeChat's subscribe messages, mails, text messages.

`deciding` decides purely.
"""

from domain.notifications.channels.deciding import (
    ORDER,
    DeliveryState,
    Outcome,
    Result,
    channels_for,
    is_unsure,
    next_channel,
)
from domain.notifications.channels.deliveries import (
    Delivery,
    WantedDeliveries,
    deliveries_consumer,
    deliveries_page,
    forget_deliveries,
    is_due,
    replay_deliveries,
)
from domain.notifications.channels.reaching import OpenChannels
from domain.notifications.channels.sending import (
    EmailSender,
    Message,
    Sender,
    SmsSender,
    SubscribeSender,
)
from domain.notifications.channels.subscribing import (
    AcceptSubscribeMessages,
    SubscribeMessages,
    SubscribeTemplate,
    SubscribeTemplates,
    accept_subscribe_messages,
    subscribe_messages,
)
from domain.notifications.channels.turns import (
    ChannelSending,
    ChannelTurn,
    ProgrammeWords,
    take_channel_turn,
)
from domain.notifications.channels.unsubscribing import (
    unsubscribe,
    unsubscribe_group,
    unsubscribe_token,
)

__all__ = [
    "ORDER",
    "AcceptSubscribeMessages",
    "ChannelSending",
    "ChannelTurn",
    "Delivery",
    "DeliveryState",
    "EmailSender",
    "Message",
    "OpenChannels",
    "Outcome",
    "ProgrammeWords",
    "Result",
    "Sender",
    "SmsSender",
    "SubscribeMessages",
    "SubscribeSender",
    "SubscribeTemplate",
    "SubscribeTemplates",
    "WantedDeliveries",
    "accept_subscribe_messages",
    "channels_for",
    "deliveries_consumer",
    "deliveries_page",
    "forget_deliveries",
    "is_due",
    "is_unsure",
    "next_channel",
    "replay_deliveries",
    "subscribe_messages",
    "take_channel_turn",
    "unsubscribe",
    "unsubscribe_group",
    "unsubscribe_token",
]
