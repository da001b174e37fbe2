"""Who runs a command: the user of the machine, as the audit log names them."""

from __future__ import annotations

import os
import pwd

from uuid_utils.compat import uuid7

from domain.audit import Actor


def operator() -> Actor:
    """The user who runs this process, asked of the system and not of the environment."""
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:  # A container may run as a user without a name.
        name = str(user)
    return Actor(name=f"cli:{name}", request_id=uuid7().hex)
