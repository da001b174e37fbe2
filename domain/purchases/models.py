"""Earning rules. Tables: migrations/purchases."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class EarningRule(Model):
    """One version of an earning rule; never changed."""

    id = fields.UUIDField(primary_key=True)
    code = fields.CharField(max_length=64)
    version = fields.IntField()
    definition = fields.JSONField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "earning_rule"
