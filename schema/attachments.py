"""Pictures that were sent along with a message."""

from __future__ import annotations

from typing import Final

import strawberry

from domain import feedback
from domain.access import StaffRole
from schema.fields import Info, computed, object_type, view
from schema.node import encode_global_id
from schema.policies import OWNER, staff

BOTH: Final = OWNER | staff(StaffRole.SUPPORT)


@object_type(policy=BOTH)
class Attachment:
    """A picture that came with a message, sent with `POST /upload` before."""

    name: str
    """What its sender called it, with the ending of what it is."""

    media_type: str
    """What it is: `image/jpeg`, `image/png` or `image/webp`."""

    bytes: int
    """How long it is."""

    width: int
    """Pixels from left to right."""

    height: int
    """Pixels from top to bottom."""

    @computed(BOTH)
    def id(self) -> strawberry.ID:
        """The id, as `/upload` answered it."""
        return encode_global_id("Attachment", _attachment(self).id)

    @computed(BOTH)
    def url(self, info: Info) -> str:
        """Where the file is, for whoever brings their token: `wx.downloadFile` with `header`."""
        attachment_id = encode_global_id("Attachment", _attachment(self).id)
        return f"{info.context.services.public_url}/attachments/{attachment_id}"


def _attachment(value: object) -> feedback.Attachment:
    attachment: feedback.Attachment = view(value)
    return attachment
