"""What phones write behind a photograph: it is recognised so that it can be left out.

Samsung: blocks with a directory at the file's end (`SEFH` … `SEFT`). Pictures that move: the few
seconds as an MP4, a list of boxes of which the first is called `ftyp`, perhaps with a short line of
text behind it. Zeros, with which some fill files up. What is none of these is not known, and a file
that has it is refused.
"""

from __future__ import annotations

import re
from typing import Final

_ENTRY: Final = 12
_TAIL: Final = 8
_LINE: Final = re.compile(rb"[\x20-\x7e\r\n]{0,64}", re.DOTALL)
_BOX: Final = re.compile(rb"[A-Za-z0-9 \xa9_-]{4}")


def is_of_a_phone(behind: bytes) -> bool:
    """Whether all that stands behind the picture is what phones write there."""
    rest = behind.strip(b"\0")
    if not rest or _is_of_samsung(rest):
        return True
    # The length of a box begins with zeros itself, as does what may stand before the first one.
    begins = behind.find(b"ftyp") - 4
    if begins < 0 or behind[:begins].strip(b"\0"):
        return False
    video = behind[begins:]
    after = video[_end_of_video(video) :].strip(b"\0")
    return _is_of_samsung(after) or _LINE.fullmatch(after) is not None


def _is_of_samsung(rest: bytes) -> bool:
    """Whether it ends with the directory of its blocks, whose length its last bytes tell."""
    if len(rest) < _TAIL + _ENTRY or not rest.endswith(b"SEFT"):
        return False
    length = int.from_bytes(rest[-_TAIL:-4], "little")
    directory = rest[:-_TAIL][-length:] if length else b""
    blocks = int.from_bytes(directory[8:12], "little")
    return directory.startswith(b"SEFH") and len(directory) == _ENTRY * (blocks + 1)


def _end_of_video(video: bytes) -> int:
    """Where the last whole box ends."""
    place = 0
    while place + 8 <= len(video) and _BOX.fullmatch(video, place + 4, place + 8):
        size = int.from_bytes(video[place : place + 4], "big")
        if size == 1:
            size = int.from_bytes(video[place + 8 : place + 16], "big")
        elif size == 0:
            return len(video)
        if size < 8 or place + size > len(video):
            break
        place += size
    return place
