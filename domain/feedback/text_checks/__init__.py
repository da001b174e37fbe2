"""Texts of members: WeChat is asked about them, and what it finds wrong is held for staff."""

from domain.feedback.text_checks.checking import (
    AsksAboutTexts,
    CheckedTexts,
    TextChecking,
    check_texts,
)
from domain.feedback.text_checks.queue import queue_text_check
from domain.feedback.text_checks.reviewing import (
    CheckedMessage,
    ReviewMessage,
    held_messages,
    review_message,
)
from domain.feedback.text_checks.rules import ReviewDecision, pieces_of

__all__ = [
    "AsksAboutTexts",
    "CheckedMessage",
    "CheckedTexts",
    "ReviewDecision",
    "ReviewMessage",
    "TextChecking",
    "check_texts",
    "held_messages",
    "pieces_of",
    "queue_text_check",
    "review_message",
]
