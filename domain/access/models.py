"""API clients of shops and partners, and staff accounts. Tables: migrations/access."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class ApiClient(Model):
    """A shop or a partner platform with tokens of its own."""

    id = fields.UUIDField(primary_key=True)
    code = fields.CharField(max_length=64, unique=True)
    name = fields.TextField()
    kind = fields.CharField(max_length=16)
    scopes = fields.TextField()
    created_at = fields.DatetimeField()
    disabled_at = fields.DatetimeField(null=True)
    tokens_not_before = fields.DatetimeField(null=True)

    class Meta:
        table = "api_client"


class StaffAccount(Model):
    """A person who works for the merchant."""

    id = fields.UUIDField(primary_key=True)
    login = fields.CharField(max_length=64, unique=True)
    name = fields.TextField()
    roles = fields.TextField()
    created_at = fields.DatetimeField()
    disabled_at = fields.DatetimeField(null=True)
    tokens_not_before = fields.DatetimeField(null=True)

    class Meta:
        table = "staff_account"
