"""The real schema: nothing in it is without a policy or a description."""

from __future__ import annotations

from schema.inspection import fields_without_policy, undescribed
from schema.root import build_schema


def test_every_field_of_every_type_has_a_policy() -> None:
    assert fields_without_policy(build_schema()) == []


def test_everything_is_described() -> None:
    assert undescribed(build_schema()) == []
