"""Whether operations are executed by plans, and how many are kept."""

from __future__ import annotations

from pydantic import BaseModel, PositiveInt


class ExecutionSettings(BaseModel):
    """Plans make the same answers in less time; without them graphql-core makes every value."""

    plans: bool = True
    plan_fields_max: PositiveInt = 20_000
    """How many fields the plans of a worker have in all, about a kilobyte each. Those of documents
    of the manifest come on top."""
