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
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.policy import Policy
from email.utils import format_datetime
from typing import Final, Literal

import structlog
from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPResponseException,
)

from domain.errors import EmailRefused, EmailUnavailable
from domain.mailing.messages import Mail

_log = structlog.get_logger(__name__)

_PERMANENT: Final = range(500, 600)
_WITHOUT_LOGIN: Final = frozenset({530, 534, 535, 538})
"""Answers to somebody who did not log in, or not as they should (RFC 4954)."""


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
            # An answer with a number is an answer: the mail was not taken. Where it is we who are
            # refused, before anything was said of the mail, our settings are wrong or our account
            # is: the next mail fares no better, and this one may be taken once that is mended.
            is_ours = not sending.is_welcome or refusal.code in _WITHOUT_LOGIN
            _log.warning(
                "mail_not_taken", reference=mail.reference, status=refusal.code, is_ours=is_ours
            )
            if refusal.code in _PERMANENT and not is_ours:
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
        self.is_welcome = False
        self.is_handing_over = False

    async def run(self, mail: Mail) -> None:
        smtp, message = self._smtp, message_of(mail, self._server)
        try:
            await smtp.connect()
            await smtp.mail(self._server.from_address)
            self.is_welcome = True
            await smtp.rcpt(mail.to)
            self.is_handing_over = True
            await smtp.data(message.as_bytes())
            self.is_handing_over = False
        finally:
            # It was taken, or it was not: how the server says goodbye changes nothing.
            smtp.close()


class _WholeLine(UnstructuredHeader, BaseHeader):
    """A header of one line, however long: folding would make it one that only people can read."""

    def fold(self, *, policy: Policy) -> str:
        """The line as it stands."""
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS: Final = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _WholeLine)
_POLICY: Final = SMTP_POLICY.clone(header_factory=_HEADERS)


def message_of(mail: Mail, server: MailServer) -> EmailMessage:
    """The mail as it goes over the line."""
    message = EmailMessage(policy=_POLICY)
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
