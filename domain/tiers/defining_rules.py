"""The rules of levels as staff changes them; each change is in the audit log."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from domain import audit
from domain.audit import Actor, Target
from domain.errors import DefinitionChanged
from domain.storage import fetch_all, transaction
from domain.tiers.level_rules import check_level_rules, level_rules, set_level_rules
from domain.tiers.windows import LevelRules, Rolling


async def change_level_rules(rules: LevelRules, *, by: Actor, now: datetime) -> LevelRules:
    """Change the rules that were read at `rules.version`; what is the same stays at its version.

    Whoever holds a level keeps it as long as they were promised. Refused: InvalidInput,
    DefinitionChanged (somebody was faster).
    """
    check_level_rules(rules)

    async def work() -> LevelRules:
        # Whoever changes levels or their rules goes one after the other.
        await fetch_all("SELECT code FROM level ORDER BY rank FOR NO KEY UPDATE")
        before = await level_rules()
        if before.version != rules.version:
            raise DefinitionChanged(version=before.version, field=("version",))
        after = before
        if replace(rules, version=0) != replace(before, version=0):
            after = await set_level_rules(rules, now=now)
        audit.record(
            by,
            "level_rules.change",
            target=Target(kind="level_rules", id="1"),
            before=_facts(before),
            after=_facts(after),
            now=now,
        )
        return after

    return await transaction(work)


def _facts(rules: LevelRules) -> dict[str, Any]:
    rolling = isinstance(rules.window, Rolling)
    return {
        "window": "ROLLING" if rolling else "CALENDAR_YEAR",
        "months": rules.window.months if isinstance(rules.window, Rolling) else None,
        "grace_days": rules.grace_days,
        "notice_days": rules.notice_days,
        "version": rules.version,
    }
