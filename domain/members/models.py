"""Members and what leads to them. Tables: migrations/members."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class Member(Model):
    """One person, for life."""

    id = fields.UUIDField(primary_key=True)
    nickname = fields.TextField(default="")
    avatar_url = fields.TextField(null=True)
    birthday = fields.DateField(null=True)
    gender = fields.CharField(max_length=16, null=True)
    preferred_channel = fields.CharField(max_length=32, null=True)
    joined_at = fields.DatetimeField()
    version = fields.BigIntField(default=1)
    tokens_not_before = fields.DatetimeField(null=True)

    class Meta:
        table = "member"


class MemberIdentity(Model):
    """What a member is known by: openid, unionid, own reference."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    kind = fields.CharField(max_length=32)
    app_id = fields.CharField(max_length=64)
    subject = fields.CharField(max_length=128)
    bound_at = fields.DatetimeField()

    class Meta:
        table = "member_identity"


class MemberInterest(Model):
    """A theme that a member cares for, declared or inferred."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    theme_code = fields.CharField(max_length=64)
    source = fields.CharField(max_length=16)
    weight_permille = fields.IntField()
    set_at = fields.DatetimeField()

    class Meta:
        table = "member_interest"


class MemberSession(Model):
    """One sign-in: the family of its refresh tokens."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    app_id = fields.CharField(max_length=64)
    started_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)
    revoked_because = fields.CharField(max_length=32, null=True)

    class Meta:
        table = "member_session"


class RefreshToken(Model):
    """A refresh token, hashed; used at most once."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    session_id = fields.UUIDField()
    token_hash = fields.CharField(max_length=64)
    issued_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "refresh_token"
