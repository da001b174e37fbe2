"""What a long-lived process does about Python's garbage collector."""

from __future__ import annotations

import gc


def keep_what_is_loaded() -> None:
    """Let everything that was imported and built so far stay for good.

    Each full round of the collector would look through it again: a tenth of a second during which
    nobody is answered, and a batch of the sweeper keeps its locks.
    """
    gc.collect()
    gc.freeze()
