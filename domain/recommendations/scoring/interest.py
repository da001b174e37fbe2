"""How much a member who did not declare a theme seems to care for it: one formula, for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

from domain.recommendations.scoring.settings import ScoringSettings

BROWSED: Final = 0.25
"""What a look at a theme counts, where a product of it in the history counts 1."""

_Counted = TypeVar("_Counted", float, "NDArray[np.float64]")


def inferred(counted: _Counted, settings: ScoringSettings) -> _Counted:
    """w of a theme by k: its products in the history, and `BROWSED` for each look at it.

    Of one number, or of each of an array.
    """
    return counted / (counted + settings.inferred_half) * settings.inferred_weight
