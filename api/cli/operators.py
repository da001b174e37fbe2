"""Who runs a command: the user of the machine, as the audit log names them."""

from __future__ import annotations

import os
import pwd
from datetime import datetime

from uuid_utils.compat import uuid7

from domain import audit
from domain.audit import Actor, Target
from domain.storage import transaction


def operator() -> Actor:
    """The user who runs this process, asked of the system and not of the environment."""
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:  # A container may run as a user without a name.
        name = str(user)
    return Actor(name=f"cli:{name}", request_id=uuid7().hex)


async def tell_the_log(action: str, target: Target, *, now: datetime) -> None:
    """Record what the operator is about to do: with it inside a transaction, otherwise before it.

    The latter is for what no single transaction does: files, and imports in many batches.
    """

    async def work() -> None:
        audit.record(operator(), action, target=target, now=now)

    await transaction(work)
