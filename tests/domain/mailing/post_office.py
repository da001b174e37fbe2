"""A mail server on loopback, the aiosmtpd of the registries, that keeps what it takes.

It does what mailboxes do: mails of one Message-ID that come twice are one. `unwelcome` are answers
to whoever begins a mail next, `refusals` those to the next recipients, `ends` those to the next
last lines of mails; DROP takes the mail and hangs up before it answers.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from domain.mailing import MailServer

DROP = "drop"
FROM = "service@jifen.example"


@dataclass(slots=True)
class PostOffice:
    """What the server took, in the order in which it did."""

    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    """The same mails as they came over the line."""
    unwelcome: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    _running: _Running | None = None

    @property
    def server(self) -> MailServer:
        """How it is reached."""
        return MailServer(
            host="127.0.0.1",
            port=self.port,
            from_address=FROM,
            from_name="积分 Jifen",
            security="none",
            deadline_s=5.0,
        )

    @property
    def mails(self) -> list[EmailMessage]:
        """The mails, each once, oldest first."""
        return list({str(one["Message-ID"]): one for one in self.taken}.values())

    def to(self, address: str) -> list[EmailMessage]:
        """Those to one address."""
        return [one for one in self.mails if str(one["To"]) == address]

    def code(self, address: str) -> str:
        """The code in the newest mail to the address."""
        found = re.search(r"\b[0-9]{6}\b", text_of(self.to(address)[-1]))
        assert found is not None
        return found[0]

    def reset(self) -> None:
        """Forget everything."""
        for one in (self.taken, self.lines, self.unwelcome, self.refusals, self.ends):
            one.clear()

    def open(self) -> None:
        """Begin to listen."""
        assert self._running is None
        self._running = _Running(self)

    def close(self) -> None:
        """Listen no more: whoever comes is refused at the door."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    async def handle_MAIL(  # noqa: N802 - the server calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.unwelcome:
            return self.unwelcome.pop(0)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - the server calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the server calls it so
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        end = self.ends.pop(0) if self.ends else "250 OK"
        if end == DROP or end.startswith("2"):
            content = cast("bytes", envelope.content)
            self.lines.append(content)
            self.taken.append(message_from_bytes(content, policy=policy.SMTP))
        if end == DROP:
            transport: Any = server.transport
            transport.abort()
        return end


class _Running:
    """The server in a thread of its own, as it would be in a machine of its own."""

    def __init__(self, office: PostOffice) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

        def protocol() -> SMTP:
            return SMTP(
                office, hostname="mail.jifen.example", loop=self._loop, enable_SMTPUTF8=True
            )

        async def listen() -> asyncio.Server:
            return await self._loop.create_server(protocol, "127.0.0.1", office.port)

        self._server = asyncio.run_coroutine_threadsafe(listen(), self._loop).result(10)
        # The first port that is free; whoever comes back later has the same.
        office.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        async def end() -> None:
            self._server.close()
            await self._server.wait_closed()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def text_of(mail: EmailMessage) -> str:
    """What the mail says."""
    return str(mail.get_content())


@contextmanager
def open_post_office() -> Iterator[PostOffice]:
    """The server, on a port of its own."""
    office = PostOffice()
    office.open()
    try:
        yield office
    finally:
        office.close()
