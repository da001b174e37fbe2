"""What refusals of campaigns of games tell beside their message."""

from __future__ import annotations

from domain import errors
from schema.errors import UserError, tells
from schema.fields import object_type
from schema.policies import PUBLIC
from schema.scalars import Points


@tells(errors.BudgetSpent)
@object_type(policy=PUBLIC)
class BudgetSpent(UserError):
    """The budget of the campaign cannot be less than what is spent of it."""

    spent: Points
    """What is spent."""
