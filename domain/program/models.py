"""The programme: its name, its time zone, its currency. Tables: migrations/program."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class Program(Model):
    """The programme: one row."""

    id = fields.SmallIntField(primary_key=True, generated=False)
    name_zh = fields.TextField()
    name_en = fields.TextField()
    time_zone = fields.TextField()
    currency = fields.CharField(max_length=3)

    class Meta:
        table = "program"
