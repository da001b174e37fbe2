"""The kinds of feedback as the schema offers them."""

from __future__ import annotations

from domain.feedback import FeedbackKind
from schema.fields import enum_type

enum_type(FeedbackKind)

__all__ = ["FeedbackKind"]
