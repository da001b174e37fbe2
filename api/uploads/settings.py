"""What may be uploaded."""

from __future__ import annotations

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt

from domain.feedback import PIXELS_MAX


class UploadSettings(BaseModel):
    """Pictures that members and staff send with their messages."""

    bytes_max: int = Field(default=10 * 1024 * 1024, ge=1_024, le=64 * 1024 * 1024)
    """What one file may have, as it is sent and as it is kept."""

    pixels_max: PositiveInt = PIXELS_MAX
    """What a picture may have; decoded each takes four bytes of memory."""

    upload_s_max: PositiveFloat = 60.0
    """How long it may take to come in and to be looked at."""

    sweep_every_s: PositiveInt = 60
    """How often files are deleted that belong to nothing any more."""
