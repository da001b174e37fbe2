"""Who agreed to be shown what follows from their own history."""

from __future__ import annotations

from typing import Final

PERSONALIZATION: Final = "personalization"
"""The purpose of the consent without which nobody's history chooses what they are shown."""

MARKETING: Final = "marketing"
"""The purpose of the consent without which nobody is written to about products."""
