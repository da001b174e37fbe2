"""Consents: what members agreed to, for which purpose, in which words; withdrawn at any time.

Each change of mind is a row; the newest of a purpose counts, whatever version it is of. The words
are versions of a text that is never changed: who wants other words publishes another version.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import access
from domain.access import CallerKind
from domain.errors import ConsentOutdated, ConsentUnknown, InvalidInput
from domain.members.standing import lock_member
from domain.outbox import Event, announce
from domain.storage import Row, Table, execute, fetch_all, fetch_one, transaction
from domain.texts import clean_code, clean_text

PURPOSE_CHARACTERS_MAX: Final = 64
VERSION_CHARACTERS_MAX: Final = 32
TITLE_CHARACTERS_MAX: Final = 128
BODY_CHARACTERS_MAX: Final = 20_000

PARTNER: Final = "partner:"
"""What the purposes begin with of which each allows one partner platform to know the member."""
ANY_PARTNER: Final = "partner:*"
"""The purpose of the text for those partners that have none of their own."""

_TEXTS: Final = Table(
    "consent_text",
    purpose="text",
    version="text",
    title_zh="text",
    title_en="text",
    body_zh="text",
    body_en="text",
    is_current="boolean",
    published_at="timestamptz",
)
_CONSENTS: Final = Table(
    "member_consent",
    member_id="uuid",
    id="uuid",
    purpose="text",
    granted="boolean",
    version="text",
    at="timestamptz",
)

# From one purpose to the next in the index, and to the newest of each: however often somebody
# changes their mind, a row for each purpose is read.
_NEWEST_OF_EACH: Final = """
    WITH RECURSIVE said (purpose) AS (
        SELECT min(purpose) FROM member_consent WHERE member_id = $1
        UNION ALL
        SELECT (
            SELECT min(c.purpose) FROM member_consent AS c
            WHERE c.member_id = $1 AND c.purpose > s.purpose
        )
        FROM said AS s WHERE s.purpose IS NOT NULL
    ), newest AS MATERIALIZED (
        SELECT purpose, (
            SELECT n.id FROM member_consent AS n WHERE n.member_id = $1 AND n.purpose = s.purpose
            ORDER BY n.at DESC, n.id DESC LIMIT 1
        ) AS id
        FROM said AS s WHERE purpose IS NOT NULL
    )
    SELECT s.purpose,
        (SELECT granted FROM member_consent WHERE member_id = $1 AND id = s.id) AS granted,
        (SELECT version FROM member_consent WHERE member_id = $1 AND id = s.id) AS version,
        (SELECT at FROM member_consent WHERE member_id = $1 AND id = s.id) AS at
    FROM newest AS s
"""

_CONSENTING: Final = """
    SELECT m.id FROM member AS m
    WHERE m.id = ANY($1::uuid[]) AND (
        SELECT n.granted FROM member_consent AS n WHERE n.member_id = m.id AND n.purpose = $2
        ORDER BY n.at DESC, n.id DESC LIMIT 1
    )
"""


def agreed_to(purpose: str) -> str:
    """Whether $1 agrees to this purpose now, as SQL: for statements of other contexts."""
    return f"""COALESCE((
        SELECT c.granted FROM member_consent AS c WHERE c.member_id = $1 AND c.purpose = '{purpose}'
        ORDER BY c.at DESC, c.id DESC LIMIT 1
    ), FALSE)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentText:
    """One version of what members are asked to agree to, for one purpose, in both languages."""

    purpose: str
    version: str
    title_zh: str
    title_en: str
    body_zh: str
    body_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a member said last of a purpose; `version` is that of the words it was said to."""

    purpose: str
    granted: bool
    version: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SetConsent:
    """Agree to the current words, by their version; or withdraw, whatever the version."""

    member_id: UUID
    purpose: str
    granted: bool
    version: str


async def publish_consent_texts(texts: Sequence[ConsentText], *, now: datetime) -> int:
    """Let each of these be the current words of its purpose; returns how many were not before.

    InvalidInput where a version was published with other words: what somebody agreed to stays.
    """
    for text in texts:
        _check(text)

    async def work() -> int:
        published = [text for text in texts if await _publish(text, now=now)]
        if published:
            facts = {"purposes": [text.purpose for text in published]}
            told = Event(kind="ConsentTextsPublished", member_id=None, facts=facts)
            await announce([told], now=now)
        return len(published)

    return await transaction(work)


async def consent_texts() -> Sequence[ConsentText]:
    """The current words of every purpose that has some, by purpose."""
    rows = await fetch_all(
        "SELECT purpose, version, title_zh, title_en, body_zh, body_en FROM consent_text"
        " WHERE is_current"
    )
    # Sorted here: the two databases collate text differently.
    return sorted((_text(row) for row in rows), key=lambda text: text.purpose)


async def consents(member_id: UUID) -> Sequence[Consent]:
    """What the member said last of each purpose of which they said something, by purpose."""
    rows = await fetch_all(_NEWEST_OF_EACH, member_id)
    # Sorted here: the two databases collate text differently.
    return sorted(map(_consent, rows), key=lambda consent: consent.purpose)


async def has_consented(member_id: UUID, purpose: str) -> bool:
    """Whether the member agrees to the purpose now. One statement."""
    said = await _newest(member_id, purpose)
    return said is not None and said.granted


async def consenting(member_ids: Collection[UUID], purpose: str) -> set[UUID]:
    """Those of these members who agree to the purpose now. One statement, none for nobody."""
    if not member_ids:
        return set()
    rows = await fetch_all(_CONSENTING, sorted(set(member_ids)), purpose)
    return {row["id"] for row in rows}


async def current_consent_version(purpose: str) -> str | None:
    """The version of the current words for the purpose, None where there are none."""
    rows = await fetch_all(
        "SELECT purpose, version FROM consent_text WHERE is_current AND purpose = ANY($1::text[])",
        [purpose, ANY_PARTNER] if purpose.startswith(PARTNER) else [purpose],
    )
    own = [row["version"] for row in rows if row["purpose"] == purpose]
    if own or not rows:
        return own[0] if own else None
    partner = await access.find_account(purpose.removeprefix(PARTNER))
    is_one = partner is not None and partner.kind is CallerKind.PARTNER
    return rows[0]["version"] if is_one else None


async def set_consent(command: SetConsent, *, now: datetime) -> Consent:
    """What holds afterwards. Saying what is so already writes nothing.

    Refused: InvalidInput, MemberNotFound; ConsentUnknown for a purpose that has no words;
    ConsentOutdated where other words than the current ones are agreed to.
    """
    _check_purpose(command.purpose)

    async def work() -> Consent:
        # The member's row is the lock: of two changes of mind one comes after the other.
        member_id = await lock_member(command.member_id)
        before = await _newest(member_id, command.purpose)
        version = await _version(command, before)
        if before and (before.granted, before.version) == (command.granted, version):
            return before
        # Strictly later than what was said before, so that it counts whatever the clocks say.
        at = max(now, before.at + timedelta(microseconds=1)) if before else now
        said = Consent(purpose=command.purpose, granted=command.granted, version=version, at=at)
        await _write(member_id, said, now=now)
        return said

    return await transaction(work)


async def consents_in_doubt(
    loser_id: UUID, keeper_id: UUID, *, since: datetime
) -> Sequence[tuple[UUID, str]]:
    """What each of two who were one record since then is not known to agree to, with its purpose.

    Nobody knows who of the two said what meanwhile: a withdrawal may be of either, and so may an
    agreement of the keeper's, where they had not agreed before.
    """
    rows = await fetch_all(
        "SELECT purpose, granted, at FROM member_consent WHERE member_id = $1 ORDER BY at, id",
        keeper_id,
    )
    before = {row["purpose"]: bool(row["granted"]) for row in rows if row["at"] <= since}
    meanwhile = [row for row in rows if row["at"] > since]
    withdrawn = {row["purpose"] for row in meanwhile if not row["granted"]}
    now_said = {row["purpose"]: bool(row["granted"]) for row in meanwhile}
    doubtful = [(loser_id, one) for one in sorted(withdrawn) if await has_consented(loser_id, one)]
    return doubtful + [
        (keeper_id, one)
        for one, agrees in sorted(now_said.items())
        if agrees and not before.get(one)
    ]


async def _version(command: SetConsent, before: Consent | None) -> str:
    """The version to write down: of what is agreed to, or of what is withdrawn."""
    if before and not command.granted:
        return before.version
    current = await current_consent_version(command.purpose)
    if current is None:
        raise ConsentUnknown(field=("purpose",), purpose=command.purpose)
    if command.granted and command.version != current:
        raise ConsentOutdated(field=("version",), current=current)
    return current


async def _newest(member_id: UUID, purpose: str) -> Consent | None:
    row = await fetch_one(
        "SELECT purpose, granted, version, at FROM member_consent"
        " WHERE member_id = $1 AND purpose = $2 ORDER BY at DESC, id DESC LIMIT 1",
        *(member_id, purpose),
    )
    return None if row is None else _consent(row)


async def _write(member_id: UUID, said: Consent, *, now: datetime) -> None:
    await _CONSENTS.insert([{"member_id": member_id, "id": uuid7(), **asdict(said)}])
    facts = {"purpose": said.purpose, "granted": said.granted, "version": said.version}
    await announce([Event(kind="ConsentChanged", member_id=member_id, facts=facts)], now=now)


async def _publish(text: ConsentText, *, now: datetime) -> bool:
    row = await fetch_one(
        "SELECT purpose, version, title_zh, title_en, body_zh, body_en, is_current"
        " FROM consent_text WHERE purpose = $1 AND version = $2",
        *(text.purpose, text.version),
    )
    if row is not None and _text(row) != text:
        raise InvalidInput(field=("version",), rule="a version that was published has other words")
    if row is not None and row["is_current"]:
        return False
    await execute(
        "UPDATE consent_text SET is_current = FALSE WHERE purpose = $1 AND is_current", text.purpose
    )
    if row is None:
        await _TEXTS.insert([{**asdict(text), "is_current": True, "published_at": now}])
    else:
        await execute(
            "UPDATE consent_text SET is_current = TRUE WHERE purpose = $1 AND version = $2",
            *(text.purpose, text.version),
        )
    return True


def _check(text: ConsentText) -> None:
    if text.purpose != ANY_PARTNER:
        _check_purpose(text.purpose)
    clean_code(text.version, field=("version",), characters_max=VERSION_CHARACTERS_MAX)
    for name in ("title_zh", "title_en"):
        clean_text(
            getattr(text, name),
            field=(name,),
            characters_min=1,
            characters_max=TITLE_CHARACTERS_MAX,
        )
    for name in ("body_zh", "body_en"):
        clean_text(
            getattr(text, name),
            field=(name,),
            characters_min=1,
            characters_max=BODY_CHARACTERS_MAX,
            lines=True,
        )


def _check_purpose(purpose: str) -> None:
    clean_code(purpose, field=("purpose",), characters_max=PURPOSE_CHARACTERS_MAX)


def _text(row: Row) -> ConsentText:
    return ConsentText(
        purpose=row["purpose"],
        version=row["version"],
        title_zh=row["title_zh"],
        title_en=row["title_en"],
        body_zh=row["body_zh"],
        body_en=row["body_en"],
    )


def _consent(row: Row) -> Consent:
    return Consent(
        purpose=row["purpose"], granted=row["granted"], version=row["version"], at=row["at"]
    )
