"""A real PNG that looks a little like a code and says which scene it stands for."""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Final

_MODULES: Final = 16
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GRAYSCALE_8_BIT: Final = (8, 0, 0, 0, 0)


def code_picture(scene: str, *, page: str, width_px: int) -> bytes:
    """A square PNG, `width_px` wide, whose pattern and `tEXt` chunks tell scene and page."""
    digest = hashlib.sha256(f"{page}?{scene}".encode()).digest()
    bits = "".join(f"{byte:08b}" for byte in digest)
    rows = bytearray()
    for y in range(width_px):
        line = bits[y * _MODULES // width_px * _MODULES :]
        rows.append(0)
        rows += bytes(255 * int(line[x * _MODULES // width_px]) for x in range(width_px))
    header = struct.pack(">II5B", width_px, width_px, *_GRAYSCALE_8_BIT)
    return (
        _SIGNATURE
        + _chunk(b"IHDR", header)
        + _chunk(b"tEXt", b"scene\x00" + scene.encode("latin-1", "replace"))
        + _chunk(b"tEXt", b"page\x00" + page.encode("latin-1", "replace"))
        + _chunk(b"IDAT", zlib.compress(bytes(rows)))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
