"""What feedback is about: the kinds of it."""

from enum import StrEnum


class FeedbackKind(StrEnum):
    """What a member brings."""

    QUESTION = "QUESTION"
    """Something that they want to know."""
    COMPLAINT = "COMPLAINT"
    """Something that went wrong."""
    LOSS = "LOSS"
    """Something that is gone: points, a coupon, a parcel, an account."""
    SUGGESTION = "SUGGESTION"
    """Something that could be better."""
    PRAISE = "PRAISE"
    """Something that was good."""
