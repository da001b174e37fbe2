"""`var/demo.json`: where the running demo is, and tokens for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import orjson

DEMO_FILE: Final = Path("var/demo.json")


def read_demo() -> dict[str, Any] | None:
    """What `make run` wrote; None where it never ran here."""
    try:
        demo = orjson.loads(DEMO_FILE.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return demo if isinstance(demo, dict) else None
