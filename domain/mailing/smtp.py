"""Handing mails to the merchant's mail server: one connection for each.

A mail is taken when the server has answered its last line with 250, and not before. Whatever goes
wrong up to that line, it was surely not sent. An answer to it that is lost leaves a mail that was
perhaps sent: who sends it again sends the same Message-ID.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import Final, Literal

import structlog
from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPResponseException,
)

from domain.errors import EmailRefused, EmailUnavailable
from domain.mailing.messages import Mail

_log = structlog.get_logger(__name__)

_PERMANENT: Final = range(500, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mails are handed over, and in whose name. Within `deadline_s` a mail is taken or not.

    `security` is TLS from the first byte, TLS that is asked for (STARTTLS), or none, for servers on
    the same machine.
    """

    host: str
    port: int
    from_address: str
    from_name: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    security: Literal["tls", "starttls", "none"] = "starttls"
    deadline_s: float = 20.0


class SmtpMails:
    """Sends through one mail server.

    `waiting` makes a context that is entered around each call: whoever waits for the server does
    nothing else. `tls` are the authorities that are believed, by default those of the machine.
    """

    def __init__(
        self,
        server: MailServer,
        *,
        waiting: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._waiting = waiting
        self._tls = tls

    async def send(self, mail: Mail) -> None:
        """Send it; see `Mails.send`."""
        sending = _Sending(self._server, tls=self._tls)
        try:
            async with self._waiting(), asyncio.timeout(self._server.deadline_s):
                await sending.run(mail)
        except SMTPResponseException as refusal:
            # An answer with a number is an answer: the mail was not taken. A login that is refused
            # says nothing about the mail, only that our settings are wrong.
            is_ours = isinstance(refusal, SMTPAuthenticationError)
            _log.warning("mail_not_taken", reference=mail.reference, status=refusal.code)
            if refusal.code in _PERMANENT and sending.has_begun and not is_ours:
                raise EmailRefused(status=refusal.code) from None
            raise EmailUnavailable(perhaps_sent=False) from None
        except (SMTPException, OSError, TimeoutError) as failure:
            perhaps_sent = sending.is_handing_over
            reason = type(failure).__name__
            _log.warning("mail_unavailable", reference=mail.reference, reason=reason)
            raise EmailUnavailable(perhaps_sent=perhaps_sent) from None


class _Sending:
    """One mail on its way. Its states say what a failure means."""

    def __init__(self, server: MailServer, *, tls: ssl.SSLContext | None) -> None:
        self._server = server
        self._smtp = SMTP(
            hostname=server.host,
            port=server.port,
            timeout=server.deadline_s,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=tls if server.security != "none" else None,
            # The name of this machine is nobody's concern, and asking for it would block.
            local_hostname=server.from_address.rpartition("@")[2],
            username=server.username,
            password=server.password,
        )
        self.has_begun = False
        self.is_handing_over = False

    async def run(self, mail: Mail) -> None:
        smtp, message = self._smtp, message_of(mail, self._server)
        try:
            await smtp.connect()
            self.has_begun = True
            await smtp.mail(self._server.from_address)
            await smtp.rcpt(mail.to)
            self.is_handing_over = True
            await smtp.data(message.as_bytes(policy=SMTP_POLICY))
            self.is_handing_over = False
        finally:
            # It was taken, or it was not: how the server says goodbye changes nothing.
            smtp.close()


def message_of(mail: Mail, server: MailServer) -> EmailMessage:
    """The mail as it goes over the line."""
    message = EmailMessage(policy=SMTP_POLICY)
    domain = server.from_address.rpartition("@")[2]
    message["From"] = Address(server.from_name, addr_spec=server.from_address)
    message["To"] = Address(addr_spec=mail.to)
    # A header is one line, whatever a text has in it.
    message["Subject"] = " ".join(mail.subject.split())
    message["Date"] = format_datetime(mail.at)
    message["Message-ID"] = f"<{mail.reference}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    if mail.unsubscribe_url is not None:
        message["List-Unsubscribe"] = f"<{mail.unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(mail.text, cte="base64")
    return message
