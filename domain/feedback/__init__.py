"""Feedback: tickets of members, from whatever channel, and what is promised about their time.

How it is used is docs/feedback.md.
"""

from domain.feedback.member_tables import MEMBER_TABLES

__all__ = ["MEMBER_TABLES"]
