"""Products and themes. Tables: migrations/catalogue."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class Theme(Model):
    """What a group of products is about."""

    code = fields.CharField(max_length=64, primary_key=True)
    name_zh = fields.TextField()
    name_en = fields.TextField()

    class Meta:
        table = "theme"


class Product(Model):
    """Something that is sold."""

    id = fields.UUIDField(primary_key=True)
    code = fields.CharField(max_length=64, unique=True)
    title = fields.TextField()
    theme_code = fields.CharField(max_length=64, null=True)
    image_url = fields.TextField(null=True)
    price_fen = fields.BigIntField(null=True)
    active = fields.BooleanField(default=True)
    updated_at = fields.DatetimeField()

    class Meta:
        table = "product"
