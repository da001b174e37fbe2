"""Custody: what touches one person across all contexts.

Joining two records of one person, telling a person all that is held of them, forgetting them.
"""

from domain.custody.parts import PARTS

__all__ = ["PARTS"]
