"""Which channels the programme has, by its settings."""

from __future__ import annotations

from api.settings import Settings
from api.telling.settings import templates_of
from domain.notifications import Channel, OpenChannels


def opened_channels(settings: Settings) -> OpenChannels:
    """The channels that these settings have a server for; in development mails go to the log."""
    has = {
        Channel.SUBSCRIBE_MESSAGE: bool(settings.subscribe_messages),
        Channel.EMAIL: bool(settings.smtp.host) or not settings.is_production,
        Channel.SMS: bool(settings.sms.url) and settings.sms.notices,
    }
    return OpenChannels(
        channels=frozenset(channel for channel, is_open in has.items() if is_open),
        templates=templates_of(settings.subscribe_messages),
    )
