"""E-mail: what is sent is said here, how it is sent is the sender's.

`SmtpMails` hands mails to the merchant's own mail server; `LoggedMails` is for development;
`NoMails` refuses.
"""

from domain.mailing.addresses import (
    EMAIL_CHARACTERS_MAX,
    clean_email,
    is_email,
    mask_email,
    same_mailbox,
)
from domain.mailing.messages import LoggedMails, Mail, Mails, NoMails
from domain.mailing.smtp import MailServer, SmtpMails

__all__ = [
    "EMAIL_CHARACTERS_MAX",
    "LoggedMails",
    "Mail",
    "MailServer",
    "Mails",
    "NoMails",
    "SmtpMails",
    "clean_email",
    "is_email",
    "mask_email",
    "same_mailbox",
]
