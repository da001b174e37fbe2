"""Pictures, and files that only look like some."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Any, Final

from PIL import Image

from domain.feedback import CleanImage, MediaType

A_PICTURE: Final = CleanImage(media_type=MediaType.PNG, width=1, height=1, content=b"picture")
"""What is kept of one, where nobody looks at it."""


class Nowhere:
    """A store that keeps nothing, for tests of the rows alone."""

    async def put(self, name: str, content: bytes) -> None:
        """See `AttachmentStore`."""

    async def open(self, name: str) -> bytes | None:
        """See `AttachmentStore`."""

    async def delete(self, name: str) -> None:
        """See `AttachmentStore`."""


def picture(kind: str = "JPEG", size: tuple[int, int] = (32, 24), **how: Any) -> bytes:
    """A picture of one colour, with whatever else is asked for."""
    written = BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(written, kind, **how)
    return written.getvalue()


def archive() -> bytes:
    """An archive with a program in it."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as files:
        files.writestr("run.exe", b"MZ" + b"\0" * 64)
    return written.getvalue()


def jpeg_with(comment: bytes) -> bytes:
    """A JPEG with this comment at its front."""
    plain = picture()
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    return plain[:2] + segment + plain[2:]


def archive_inside() -> bytes:
    """A JPEG that is an archive too, although nothing follows the picture.

    The archive stands in a comment, behind which its own comment goes on to the file's end.
    """
    plain = picture()
    made = archive()
    assert made.endswith(b"\0\0"), "an archive without a comment says so in its last two bytes"
    behind = len(plain) - 2
    return jpeg_with(made[:-2] + behind.to_bytes(2, "little"))


def sized(width: int, height: int) -> bytes:
    """A JPEG of a few bytes whose header says that it has so many pixels."""
    plain = picture()
    frame = plain.index(b"\xff\xc0") + 5
    return plain[:frame] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + plain[frame + 4 :]


def moving(kind: str) -> bytes:
    """Two pictures after each other."""
    written = BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(written, kind, save_all=True, append_images=frames[1:], duration=100)
    return written.getvalue()


def box(name: bytes, content: bytes) -> bytes:
    """A box of an MP4."""
    return (len(content) + 8).to_bytes(4, "big") + name + content


VIDEO = box(b"ftyp", b"mp42\0\0\0\0mp42isom") + box(b"moov", b"\0" * 40) + box(b"mdat", b"\1" * 500)
"""The few seconds that a picture moves."""


def samsung(content: bytes = b"\0\0\x01\x0aImage_UTC_Data1700000000000") -> bytes:
    """A block, and the directory that Samsung's phones write behind it."""
    directory = b"SEFH" + (106).to_bytes(4, "little") + (1).to_bytes(4, "little")
    directory += b"\0\0\x01\x0a" + len(content).to_bytes(4, "little") * 2
    return content + directory + len(directory).to_bytes(4, "little") + b"SEFT"


PROGRAM = b"MZ\x90\x00\x03" + b"\0" * 4_000
"""What a program of Windows begins with."""
