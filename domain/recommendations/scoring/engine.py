"""The door to what needs numpy: counting, training, listing.

Import it inside the functions that train and refresh: the gateway starts, and serves, without it.
"""

from domain.recommendations.scoring.counting import PAIRED_MAX, PairCounts
from domain.recommendations.scoring.items import Items
from domain.recommendations.scoring.lists import MEMBERS_MAX, Scorer
from domain.recommendations.scoring.model import Model
from domain.recommendations.scoring.training import train_model

__all__ = ["MEMBERS_MAX", "PAIRED_MAX", "Items", "Model", "PairCounts", "Scorer", "train_model"]
