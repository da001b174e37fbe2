"""Reconciling with partners: how often files are written, and what partners may send."""

from __future__ import annotations

from pydantic import BaseModel, PositiveFloat, PositiveInt


class ReconciliationSettings(BaseModel):
    """Files of a day, ours and those that partners send. Durations are in seconds."""

    write_every_s: PositiveInt = 600
    """How often it is looked whether a file is due; that of a day is, from two o'clock of the
    next."""

    upload_bytes_max: PositiveInt = 512 * 1024 * 1024
    """What a partner may send: some three million lines."""

    upload_s_max: PositiveFloat = 120.0
    """How long it may take to come in and to be compared."""
