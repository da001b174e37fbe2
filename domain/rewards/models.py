"""The reward catalogue. Tables: migrations/rewards."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class Reward(Model):
    """What points buy."""

    id = fields.UUIDField(primary_key=True)
    code = fields.CharField(max_length=64, unique=True)
    title_zh = fields.TextField()
    title_en = fields.TextField()
    description_zh = fields.TextField()
    description_en = fields.TextField()
    image_url = fields.TextField(null=True)
    kind = fields.CharField(max_length=16)
    points_price = fields.BigIntField()
    stock = fields.IntField(null=True)
    level_required = fields.CharField(max_length=32, null=True)
    ends_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "reward"
