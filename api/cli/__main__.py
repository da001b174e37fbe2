"""`python -m api.cli COMMAND`."""

from __future__ import annotations

import gc
from typing import Final

NEW_OBJECTS_MAX: Final = 50_000
"""How many come to be before the youngest are looked through; 700 would be for small programs."""


def main() -> None:
    """Run the command that the arguments name."""
    # Nothing of 2,000 modules is garbage: looking for it while they load took a sixth of the time.
    gc.disable()
    from api.cli.commands import app

    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_MAX, 20, 100)
    gc.enable()
    app(prog_name="python -m api.cli")


if __name__ == "__main__":
    main()
