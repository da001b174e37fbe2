"""What an attachment is called, by people and in the store."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from domain.errors import InvalidInput
from domain.feedback.attachments.images import MediaType
from domain.texts import clean_text, without_unseen

NAME_CHARACTERS_MAX: Final = 100
UNNAMED: Final = "image"
_FOLDERS: Final = re.compile(r"[/\\:]")
_ODD: Final = re.compile(r'[\x00-\x1f\x7f-\x9f<>"|?*%]')
_ENDING: Final = re.compile(r"(\.[A-Za-z0-9]{1,5})+$")


def name_of(sent: str, media_type: MediaType) -> str:
    """What people see that the file is called: what its sender called it, without what a path has.

    Its ending is that of what it is. It is shown, and offered for saving; no file of ours has it.
    """
    last = _FOLDERS.split(sent)[-1]
    stem = _ENDING.sub("", _ODD.sub("", without_unseen(last))).strip(" .")
    stem = stem[: NAME_CHARACTERS_MAX - len(media_type.ending)].strip(" .")
    try:
        clean_text(stem, field=("name",), characters_min=1, characters_max=NAME_CHARACTERS_MAX)
    except InvalidInput:
        stem = UNNAMED
    return f"{stem}{media_type.ending}"


def stored_name(attachment_id: UUID, media_type: MediaType) -> str:
    """What it is called in the store: by its id alone."""
    return f"{attachment_id}{media_type.ending}"
