"""Files that cannot be sent along, and texts that are not held."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class AttachmentUnknown(Refusal):
    """Returned when no file with this id was uploaded by the caller, or a message has it already.

    What was not sent along within a day is deleted, too.
    """

    code = ErrorCode.ATTACHMENT_UNKNOWN


@dataclass(eq=False, kw_only=True)
class MessageNotHeld(Refusal):
    """Returned when there is no such message, or its text is not held for a decision."""

    code = ErrorCode.MESSAGE_NOT_HELD
