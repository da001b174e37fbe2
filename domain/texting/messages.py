"""A text message, and whoever sends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import structlog

from domain.errors import SmsUnavailable

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextMessage:
    """What is said: `template` names it, `values` fill it in, `text` is all of it in words.

    Those who deliver in China take a template that they approved and its values; elsewhere the text
    is enough. It may hold a secret and stays out of the repr.
    """

    template: str
    values: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)
    language: Literal["zh", "en"]


class TextMessages(Protocol):
    """Sends text messages. Never call it inside a transaction: the wait would hold its locks."""

    async def send(self, phone: str, message: TextMessage) -> None:
        """Send to the number (E.164). Raises SmsUnavailable, which says if it was perhaps sent."""


class NoTextMessages:
    """Sends nothing: a programme that has no sender."""

    async def send(self, phone: str, message: TextMessage) -> None:
        """Refuse."""
        raise SmsUnavailable(perhaps_sent=False)


class LoggedTextMessages:
    """Writes messages to the log, for development: nowhere else are number and code logged."""

    async def send(self, phone: str, message: TextMessage) -> None:
        """One line, `sms_not_sent`."""
        _log.warning("sms_not_sent", phone=phone, template=message.template, **message.values)
