"""Text messages to telephones: what is sent is said here, how it is sent is the sender's.

`WebhookTextMessages` hands a message to the merchant's own service, which has a contract with
somebody who delivers it; `LoggedTextMessages` is for development; `NoTextMessages` refuses.
"""

from domain.texting.messages import (
    LoggedTextMessages,
    NoTextMessages,
    TextMessage,
    TextMessages,
)
from domain.texting.signing import key_of, signature
from domain.texting.webhook import TextingLimits, WebhookTextMessages

__all__ = [
    "LoggedTextMessages",
    "NoTextMessages",
    "TextMessage",
    "TextMessages",
    "TextingLimits",
    "WebhookTextMessages",
    "key_of",
    "signature",
]
