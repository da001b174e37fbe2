"""Images as members send them: what they are by their content, and a clean copy of them.

Names and declared types count for nothing. What is kept is never what was sent: the picture is
decoded and written anew, so that nothing goes along that is no picture, also not where and by whom
it was taken. A file that can be read as something else beside is refused all the same: whoever made
one meant no good. What phones write behind a photograph is no such thing, and is left out.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass, field
from enum import StrEnum
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps

from domain.feedback.attachments.trailers import is_of_a_phone

PIXELS_MAX: Final = 25_000_000
"""More than a phone's camera takes by default; decoded they fill 100 MB."""

_QUALITY: Final = 88
_PDF_BEGINS_WITHIN: Final = 1024
_JPEG_BEGINS: Final = b"\xff\xd8\xff"
_PNG_BEGINS: Final = b"\x89PNG\r\n\x1a\n"
_CHUNK: Final = 12
"""The bytes of a chunk of a PNG beside its content: length, type, checksum."""

# A marker of a JPEG within the picture: what follows 0xFF is neither stuffing nor a restart.
_MARKER: Final = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]", re.DOTALL)
_ZEROS: Final = re.compile(rb"\0*")
_MARKUP: Final = re.compile(rb"<script|<\?php\s|<!doctype html|<html[\s>]", re.IGNORECASE)


class MediaType(StrEnum):
    """What is taken, in the words of HTTP."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"

    @property
    def ending(self) -> str:
        """What names of such files end with."""
        return {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}[self.value]


class FileFlaw(StrEnum):
    """Why a file is not taken."""

    TYPE = "type"
    """Its content is of no type that is taken, whatever its name says."""
    BROKEN = "broken"
    """It begins like an image, and is none."""
    MORE_THAN_AN_IMAGE = "more than an image"
    """Something follows the image, or the file can be read as something else, too."""
    ANIMATED = "animated"
    TOO_MANY_PIXELS = "too many pixels"


class FileRefused(Exception):
    """Raised when a file is not taken, with why; `/upload` answers it as a code of its own."""

    def __init__(self, flaw: FileFlaw) -> None:
        super().__init__(flaw.value)
        self.flaw = flaw


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanImage:
    """A picture and nothing else."""

    media_type: MediaType
    width: int
    height: int
    content: bytes = field(repr=False)


def media_type_of(content: bytes) -> MediaType | None:
    """What the first bytes say that it is."""
    if content.startswith(_JPEG_BEGINS):
        return MediaType.JPEG
    if content.startswith(_PNG_BEGINS):
        return MediaType.PNG
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return MediaType.WEBP
    return None


def clean_image(content: bytes, *, pixels_max: int = PIXELS_MAX) -> CleanImage:
    """The picture, written anew. Raises FileRefused.

    It takes seconds of a processor, and as much memory as its pixels: never on the event loop.
    """
    media_type = media_type_of(content)
    if media_type is None:
        raise FileRefused(FileFlaw.TYPE)
    if _is_more(content, media_type):
        raise FileRefused(FileFlaw.MORE_THAN_AN_IMAGE)
    try:
        with Image.open(BytesIO(content), formats=[media_type.name]) as image:
            if image.width * image.height > pixels_max:
                raise FileRefused(FileFlaw.TOO_MANY_PIXELS)
            if media_type is not MediaType.JPEG and getattr(image, "is_animated", False):
                raise FileRefused(FileFlaw.ANIMATED)
            return _written_anew(image, media_type)
    except FileRefused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise FileRefused(FileFlaw.TOO_MANY_PIXELS) from None
    except Exception:
        # A decoder that is fed with anything raises anything.
        raise FileRefused(FileFlaw.BROKEN) from None


def _written_anew(image: Image.Image, media_type: MediaType) -> CleanImage:
    upright = ImageOps.exif_transpose(image)
    is_clear = upright.has_transparency_data and media_type is not MediaType.JPEG
    plain = upright.convert("RGBA" if is_clear else "L" if upright.mode in {"1", "L"} else "RGB")
    # Comments, profiles and places would be written along.
    plain.info = {}
    written = BytesIO()
    match media_type:
        case MediaType.JPEG:
            plain.save(written, "JPEG", quality=_QUALITY)
        case MediaType.PNG:
            plain.save(written, "PNG", compress_level=6)
        case MediaType.WEBP:
            plain.save(written, "WEBP", quality=_QUALITY, method=2)
    return CleanImage(
        media_type=media_type,
        width=plain.width,
        height=plain.height,
        content=written.getvalue(),
    )


def _is_more(content: bytes, media_type: MediaType) -> bool:
    """Whether the file is, or has, something else beside the picture."""
    match media_type:
        case MediaType.JPEG:
            end = _end_of_jpeg(content)
        case MediaType.PNG:
            end = _end_of_png(content)
        case MediaType.WEBP:
            size = int.from_bytes(content[4:8], "little")
            end = 8 + size + size % 2
    if end is None or end > len(content):
        raise FileRefused(FileFlaw.BROKEN)
    behind = content[end:]
    is_known = is_of_a_phone(behind) if media_type is MediaType.JPEG else not behind.strip(b"\0")
    if not is_known:
        return True
    if b"%PDF-" in content[:_PDF_BEGINS_WITHIN] or _MARKUP.search(content):
        return True
    # Archives are read from their end.
    return zipfile.is_zipfile(BytesIO(content))


def _end_of_png(content: bytes) -> int | None:
    """Where the last chunk ends, which is empty and called IEND; None where none is."""
    place = len(_PNG_BEGINS)
    while place + _CHUNK <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        kind = content[place + 4 : place + 8]
        place += _CHUNK + length
        if kind == b"IEND":
            return place
    return None


def _end_of_jpeg(content: bytes) -> int | None:
    """Where the picture ends, and those behind it that phones add: a preview, what makes it bright.

    None where the file ends before.
    """
    place = end = 0
    while content.startswith(_JPEG_BEGINS, place):
        found = _end_of_one_jpeg(content, place)
        if found is None:
            return None
        end = found
        # They may begin at a round place.
        place = _ZEROS.match(content, end).end()  # type: ignore[union-attr]  # it matches nothing, too
    return end


def _end_of_one_jpeg(content: bytes, begins: int) -> int | None:
    place = begins + 2
    while True:
        found = _MARKER.search(content, place)
        if found is None:
            return None
        place, marker = found.end(), content[found.end() - 1]
        if marker == 0xD9:
            return place
        # 0x01 stands alone; all others have a length, which counts itself. What follows the
        # header of a scan (0xDA) is the picture, in which the next marker is looked for.
        if marker != 0x01:
            place += int.from_bytes(content[place : place + 2], "big")
