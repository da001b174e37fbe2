"""Compression of answers.

What is compressed together with what an attacker chose can be guessed from its size (BREACH), if
the attacker can make the victim's client send many requests and watch their answers' sizes. Here
credentials travel in a header that no page of another origin can add, never in a cookie, so that
requests cannot be made in a victim's name; and answers to mutations, the only ones that carry
tokens, are not compressed all the same.
"""

from __future__ import annotations

import gzip
from typing import Final

from starlette.responses import Response

from api.transport import accepts_gzip

LEVEL: Final = 5


def compress(response: Response, *, accept_encoding: str | None) -> None:
    """Compress a complete answer in place, where the client can read it."""
    if not accepts_gzip(accept_encoding):
        return
    response.body = gzip.compress(bytes(response.body), LEVEL, mtime=0)
    response.headers["content-encoding"] = "gzip"
    response.headers["content-length"] = str(len(response.body))
