"""Levels and their perks. Tables: migrations/tiers."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class Level(Model):
    """A level of the programme; rank 0 is where everyone begins.

    What it asks beside points is read and written by statements alone.
    """

    code = fields.CharField(max_length=32, primary_key=True)
    rank = fields.IntField(unique=True)
    name_zh = fields.TextField()
    name_en = fields.TextField()
    threshold = fields.BigIntField()

    class Meta:
        table = "level"


class Perk(Model):
    """What a level gives."""

    id = fields.UUIDField(primary_key=True)
    level_code = fields.CharField(max_length=32)
    code = fields.CharField(max_length=32)
    position = fields.IntField()
    kind = fields.CharField(max_length=32)
    value = fields.TextField()
    title_zh = fields.TextField()
    title_en = fields.TextField()
    description_zh = fields.TextField()
    description_en = fields.TextField()
    quota = fields.IntField(null=True)
    period = fields.CharField(max_length=16, null=True)

    class Meta:
        table = "perk"
