"""A mail, and whoever sends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import structlog

from domain.errors import EmailUnavailable

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail to one address. It may hold a secret and stays out of the repr.

    `reference` makes the Message-ID: the same mail, sent again, has the same one, so that whoever
    gets it twice can tell. `unsubscribe_url`, where there is one, ends such mails with one click
    (RFC 8058).
    """

    reference: str
    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    at: datetime
    unsubscribe_url: str | None = field(default=None, repr=False)


class Mails(Protocol):
    """Sends mails. Never call it inside a transaction: the wait would hold its locks."""

    async def send(self, mail: Mail) -> None:
        """Send it.

        Raises EmailUnavailable, which says if it was perhaps sent, and EmailRefused where the
        server will not take it however often it is asked.
        """


class NoMails:
    """Sends nothing: a programme that has no mail server."""

    async def send(self, mail: Mail) -> None:
        """Refuse."""
        raise EmailUnavailable(perhaps_sent=False)


class LoggedMails:
    """Writes mails to the log, for development: nowhere else are address and text logged."""

    async def send(self, mail: Mail) -> None:
        """One line, `mail_not_sent`."""
        _log.warning("mail_not_sent", to=mail.to, subject=mail.subject, text=mail.text)
