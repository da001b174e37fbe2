"""Webhooks to partners: what happened, told soon, signed, and again until it is taken.

`retrying` and `addresses.is_public` decide purely.
"""

from domain.games.webhooks.deliveries import (
    WebhookDelivery,
    WebhookEndpoint,
    WebhookState,
    deliveries_page,
    due_endpoints,
    forget_webhooks,
)
from domain.games.webhooks.endpoints import enable_webhooks, given_up_at, replay_webhooks
from domain.games.webhooks.events import announce_deletion, webhook_consumer
from domain.games.webhooks.sending import SendingRules, WebhookClient
from domain.games.webhooks.turns import WebhookSending, WebhookTurn, take_turn

__all__ = [
    "SendingRules",
    "WebhookClient",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookSending",
    "WebhookState",
    "WebhookTurn",
    "announce_deletion",
    "deliveries_page",
    "due_endpoints",
    "enable_webhooks",
    "forget_webhooks",
    "given_up_at",
    "replay_webhooks",
    "take_turn",
    "webhook_consumer",
]
