"""The programme and its earning rules as staff sets them up, and both as a file."""

from __future__ import annotations

from collections.abc import Sequence

from domain import programme_file, purchases
from domain.paging import Page, PageRequest
from domain.program import Programme
from domain.programme_file import Imported
from resolvers.context import RequestContext


async def programme(context: RequestContext) -> Programme:
    """The programme as it is set up now."""
    return await context.programme()


async def set_programme(context: RequestContext, programme: Programme) -> Programme:
    """Change the programme, by the member of staff who asks."""
    return await programme_file.set_programme(programme, by=context.actor(), now=context.now)


async def earning_rules() -> Sequence[purchases.EarningRule]:
    """The newest version of each earning rule, by code."""
    return await purchases.newest_rules()


async def published_rules(code: str, page: PageRequest) -> Page[purchases.PublishedRule]:
    """A page of the versions of an earning rule, newest first."""
    return await purchases.published_rules(page, code=code)


async def publish_earning_rule(
    context: RequestContext, rule: purchases.EarningRule
) -> purchases.EarningRule:
    """Publish the next version of an earning rule, by the member of staff who asks."""
    return await purchases.publish_earning_rule(rule, by=context.actor(), now=context.now)


async def exported() -> str:
    """The settings of the programme as a file."""
    return await programme_file.export_programme()


async def import_programme(context: RequestContext, text: str) -> Imported:
    """Make the programme what a file says, by the member of staff who asks."""
    return await programme_file.import_programme(
        text.encode(errors="surrogatepass"), by=context.actor(), now=context.now
    )
