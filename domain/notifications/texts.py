"""The texts of what members are told: versioned, in both languages, worded with the facts.

A notification keeps its kind and its facts; its text is worded when it is shown or sent, by the
newest version. A fact that is missing leaves nothing behind: no text ever fails.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote
from zoneinfo import ZoneInfo

from domain import audit
from domain.audit import Actor, Target
from domain.errors import DefinitionChanged, Flaws, InvalidInput
from domain.notifications.kinds import KINDS, Fact, NotificationText, kind_of
from domain.outbox import Event, announce
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, Table, fetch_all, fetch_one, transaction
from domain.texts import clean_text

TITLE_CHARACTERS_MAX: Final = 200
BODY_CHARACTERS_MAX: Final = 2_000
LINK_CHARACTERS_MAX: Final = 500

Language: TypeAlias = Literal["zh", "en"]
LevelNames: TypeAlias = Mapping[str, tuple[str, str]]
"""What each level is called, by its code: in Chinese, in English."""

_PLACE: Final = re.compile(r"\{([a-z_]+)\}")
_BLANKS: Final = re.compile(" {2,}")
_COLUMNS: Final = "kind, version, title_zh, title_en, body_zh, body_en, link, defined_at"
_NEWEST: Final = f"""
    SELECT {_COLUMNS} FROM notification_text AS t
    WHERE kind = ANY($1::text[])
      AND version = (SELECT MAX(o.version) FROM notification_text AS o WHERE o.kind = t.kind)
"""
_TEXTS: Final = Table(
    "notification_text",
    kind="text",
    version="integer",
    title_zh="text",
    title_en="text",
    body_zh="text",
    body_en="text",
    link="text",
    defined_at="timestamptz",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedText:
    """A version of the text of a kind; `defined_at` is None for what the programme came with."""

    kind: str
    text: NotificationText
    defined_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worded:
    """What a member is shown."""

    title: str
    body: str
    link: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """By what facts are worded: where the programme's days end, and what its levels are called."""

    zone: ZoneInfo
    levels: LevelNames = field(default_factory=dict)

    @classmethod
    def plain(cls) -> Wording:
        """For kinds whose facts are neither days nor levels."""
        return cls(zone=ZoneInfo("UTC"))


def worded(
    kind: str,
    facts: Mapping[str, Any],
    *,
    text: NotificationText,
    language: Language,
    wording: Wording,
) -> Worded:
    """The text with the facts in their places, in a language."""
    known = kind_of(kind).facts

    def word(name: str) -> str:
        return _word(name, known.get(name), facts, language=language, wording=wording)

    title: str = getattr(text, f"title_{language}")
    body: str = getattr(text, f"body_{language}")
    return Worded(
        title=_filled(title, word),
        body=_filled(body, word),
        link=text.link and _PLACE.sub(lambda place: quote(word(place[1]), safe=""), text.link),
    )


def words_of(
    kind: str, facts: Mapping[str, Any], *, language: Language, wording: Wording
) -> Mapping[str, str]:
    """The facts of the kind by their names, as they are written in its texts."""
    return {
        name: _word(name, fact, facts, language=language, wording=wording)
        for name, fact in kind_of(kind).facts.items()
    }


async def newest_texts(kinds: Collection[str]) -> Mapping[str, NotificationText]:
    """The text that each of these kinds has now; one statement, none for none."""
    if not kinds:
        return {}
    rows = await fetch_all(_NEWEST, sorted(kinds))
    defined = {row["kind"]: _defined(row).text for row in rows}
    return {kind: defined.get(kind, kind_of(kind).text) for kind in kinds}


async def words(
    kind: str, facts: Mapping[str, Any], *, language: Language, wording: Wording
) -> Worded:
    """What somebody who is told this is shown, by the newest text of the kind; one statement."""
    text = (await newest_texts([kind]))[kind]
    return worded(kind, facts, text=text, language=language, wording=wording)


async def defined_texts() -> list[DefinedText]:
    """The text that each kind has now, by kind."""
    rows = await fetch_all(_NEWEST, sorted(KINDS))
    defined = {row["kind"]: _defined(row) for row in rows}
    return [
        defined.get(kind, DefinedText(kind=kind, text=KINDS[kind].text)) for kind in sorted(KINDS)
    ]


async def text_history(kind: str, page: PageRequest) -> Page[DefinedText]:
    """A page of the versions that staff gave to a kind, newest first, by the key (version,)."""
    rows = await fetch_all(
        f"SELECT {_COLUMNS} FROM notification_text WHERE kind = $1 AND version < $2"
        " ORDER BY version DESC LIMIT $3",
        *(kind, page.after[0] if page.after else 2**31 - 1, page.limit),
    )
    found = [_defined(row) for row in rows]
    return page_of(found, first=page.first, key=lambda one: (one.text.version,))


async def define_notification_text(
    kind: str, text: NotificationText, *, by: Actor, now: datetime
) -> DefinedText:
    """Give a kind its next text after `text.version`, which holds for all that was told, too.

    What is so already is kept as it is. Refused: InvalidInput (a kind that is not known, a place
    for a fact that the kind does not have), DefinitionChanged.
    """
    notification_text_flaws(kind, text).refuse_first()

    async def work() -> DefinedText:
        row = await fetch_one(
            f"SELECT {_COLUMNS} FROM notification_text WHERE kind = $1"
            " ORDER BY version DESC LIMIT 1",
            kind,
        )
        before = DefinedText(kind=kind, text=KINDS[kind].text) if row is None else _defined(row)
        if before.text.version != text.version:
            raise DefinitionChanged(version=before.text.version, field=("version",))
        after = before
        if text != before.text:
            made = replace(text, version=text.version + 1)
            after = DefinedText(kind=kind, text=made, defined_at=now)
            await _TEXTS.insert([asdict(made) | {"kind": kind, "defined_at": now}])
            event = Event(kind="NotificationTextsDefined", member_id=None, facts={"kind": kind})
            await announce([event], now=now)
        audit.record(
            by,
            "notification_text.define",
            target=Target(kind="notification_text", id=kind),
            before=asdict(before.text),
            after=asdict(after.text),
            now=now,
        )
        return after

    return await transaction(work)


def notification_text_flaws(kind: str, text: NotificationText) -> Flaws:
    """Every rule that the text of the kind breaks by itself, at most one for each field."""
    flaws = Flaws()
    if kind not in KINDS:
        flaws.found.append(InvalidInput(field=("kind",), rule="a kind that members are told"))
        return flaws
    for name in ("title_zh", "title_en"):
        with flaws.noted():
            clean_text(
                getattr(text, name),
                field=(name,),
                characters_min=1,
                characters_max=TITLE_CHARACTERS_MAX,
            )
            _check_places(getattr(text, name), kind, field=name)
    for name in ("body_zh", "body_en"):
        with flaws.noted():
            clean_text(
                getattr(text, name), field=(name,), characters_max=BODY_CHARACTERS_MAX, lines=True
            )
            _check_places(getattr(text, name), kind, field=name)
    if text.link is not None:
        with flaws.noted():
            clean_text(text.link, field=("link",), characters_max=LINK_CHARACTERS_MAX)
            if not text.link.startswith("/") or text.link.startswith("//"):
                raise InvalidInput(field=("link",), rule="a path inside the client: /…")
            _check_places(text.link, kind, field="link")
    return flaws


def _check_places(text: str, kind: str, *, field: str) -> None:
    """Refuse InvalidInput for a place of a fact that the kind does not have, or half a place."""
    known = KINDS[kind].facts
    named = _PLACE.findall(text)
    if set(named) - known.keys() or re.search("[{}]", _PLACE.sub("", text)):
        places = ", ".join(f"{{{name}}}" for name in known)
        raise InvalidInput(field=(field,), rule=f"no braces but those of {places}")


def _filled(text: str, word: Callable[[str], str]) -> str:
    return _BLANKS.sub(" ", _PLACE.sub(lambda place: word(place[1]), text)).strip()


def _word(
    name: str,
    fact: Fact | None,
    facts: Mapping[str, Any],
    *,
    language: Language,
    wording: Wording,
) -> str:
    """The fact as it is written; empty where it is missing or is not what it should be."""
    match fact:
        case Fact.BY_LANGUAGE:
            found = _plain(facts.get(f"{name}_{language}"))
        case Fact.MONEY:
            found = _money(facts.get(f"{name}_fen"), _plain(facts.get("currency")))
        case Fact.DAY:
            found = _day(facts.get(name), zone=wording.zone)
        case Fact.AMENDS:
            found = _amends(facts.get("points"), language=language)
        case Fact.TICKET:
            found = _global_id("Ticket", _plain(facts.get(name)))
        case Fact.PRODUCT:
            found = _global_id("Product", _plain(facts.get(name)))
        case Fact.LEVEL:
            code = _plain(facts.get(name))
            zh, en = wording.levels.get(code, (code, code))
            found = zh if language == "zh" else en
        case Fact.PLAIN:
            found = _plain(facts.get(name))
        case None:
            found = ""
    return found


def _money(fen: object, currency: str) -> str:
    return f"{fen // 100}.{fen % 100:02} {currency}".strip() if isinstance(fen, int) else ""


def _amends(points: object, *, language: Language) -> str:
    if not isinstance(points, int) or points <= 0:
        return ""
    if language == "zh":
        return f"已补偿您 {points} 积分。"
    return f"{points} points were added to yours for it."


def _global_id(type_name: str, key: str) -> str:
    plain = f"{type_name}:{key}".encode()
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode() if key else ""


def _plain(value: object) -> str:
    return str(value) if isinstance(value, str | int) else ""


def _day(value: object, *, zone: ZoneInfo) -> str:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return ""
    return "" if moment.tzinfo is None else moment.astimezone(zone).date().isoformat()


def _defined(row: Row) -> DefinedText:
    text = NotificationText(
        title_zh=row["title_zh"],
        title_en=row["title_en"],
        body_zh=row["body_zh"],
        body_en=row["body_en"],
        link=row["link"],
        version=row["version"],
    )
    return DefinedText(kind=row["kind"], text=text, defined_at=row["defined_at"])
