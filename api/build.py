"""Which build of this application answers."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PARTS: Final = ("api", "schema", "resolvers", "domain")


@cache
def build_id() -> str:
    """A hash of the code that answers and of the versions of what it is built on.

    The same on every worker of one release, another on the next: two releases may answer
    differently although nothing that they read has changed.
    """
    digest = hashlib.sha256((ROOT / "requirements.lock").read_bytes())
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
