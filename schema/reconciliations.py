"""Days as they are reconciled with a partner: a file of ours, and what differs from the partner's.

The file is fetched, and the partner's own is sent, beside GraphQL: see docs/reconciliation.md.
"""

from __future__ import annotations

from datetime import date, datetime

import strawberry

from domain import games
from domain.games import DifferenceKind
from resolvers import reconciliations as resolvers
from schema.connections import After, Connection, First, KeysetList
from schema.cost import READS, Cost
from schema.fields import Info, computed, enum_type, object_type, view
from schema.policies import SEES_PARTNERS
from schema.pushed_rewards import READS_REWARDS
from schema.scalars import URL, Points

DAYS = KeysetList("reconciliations", (date,))
DIFFERENCES = KeysetList("differences", (int,))
SEES_DAYS = READS_REWARDS | SEES_PARTNERS

FILES_PATH = "/partners/reconciliation/files"
"""Where the links to files lead, followed by the id of one."""

enum_type(DifferenceKind, name="ReconciliationDifferenceKind")


@object_type(policy=SEES_DAYS)
class ReconciliationDifference:
    """An item that the two files of a day do not agree on."""

    external_id: strawberry.ID
    """The partner's own id of the item."""

    kind: DifferenceKind
    """How it differs."""

    ours: str | None
    """Its kind, points and status here, as `GRANT 10 APPLIED`; null where it is missing."""

    theirs: str | None
    """The same by the partner's file; null where it is missing there."""


@object_type(policy=SEES_DAYS)
class Reconciliation:
    """What one day came to: all that was received on it, as it stood when its file was written."""

    sha256: str
    """The SHA-256 of the file, in hexadecimal."""

    written_at: datetime
    """When the file was written."""

    compared_at: datetime | None
    """When the partner's own file was last compared with it; null before."""

    @computed(SEES_DAYS)
    def date(self) -> date:
        """The day, in the programme's time zone."""
        return _reconciliation(self).day

    @computed(SEES_DAYS)
    def count(self) -> int:
        """How many items there are, whatever became of them."""
        return _reconciliation(self).items

    @computed(SEES_DAYS)
    def points(self) -> Points:
        """What was granted and took effect, less what was taken back."""
        return Points(_reconciliation(self).points)

    @computed(SEES_DAYS)
    def difference_count(self) -> int | None:
        """How many items differ, of which `differences` has the first 10,000; null before."""
        return _reconciliation(self).differences

    # It is another one each time, and ends by itself: no ETag.
    @computed(SEES_DAYS, cost=Cost(own=1))
    async def download_url(self, info: Info) -> URL:
        """Where to fetch the file, a line of JSON for each item. Good for 15 minutes."""
        link = resolvers.download_link(info.context, _reconciliation(self))
        base = info.context.services.public_url.rstrip("/")
        query = f"until={link.until_s}&key={link.key_id}&signature={link.signature}"
        return URL(f"{base}{FILES_PATH}/{link.file_id}?{query}")

    @computed(SEES_DAYS, cost=READS)
    async def differences(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[ReconciliationDifference] | None:
        """What differs from the partner's file, in the order of the ids' bytes; nothing before it
        was sent.
        """
        request = DIFFERENCES.request(first=first, after=after)
        page = await resolvers.differences(_reconciliation(self), request)
        return DIFFERENCES.connection(page, request)


def _reconciliation(value: object) -> games.Reconciliation:
    reconciliation: games.Reconciliation = view(value)
    return reconciliation
