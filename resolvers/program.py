"""The programme."""

from __future__ import annotations

from domain.program import Programme
from resolvers.context import RequestContext


async def program(context: RequestContext) -> Programme:
    """The programme as it is set up now."""
    return await context.programme()
