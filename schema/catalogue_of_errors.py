"""The catalogue of error codes, made from the code that answers them; as facts, and in Markdown.

`docs/errors.md` keeps it; `python -m api.cli print-errors` writes it anew, and a test fails when it
is stale. The start page shows the same facts. Whatever they say about a code comes from the
docstrings and tables of `domain.errors`, `schema.errors`, `schema.texts` and `schema.faults`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from strawberry.types.base import get_object_definition
from strawberry.utils.str_converters import to_camel_case

import schema.definition_errors
import schema.game_errors
import schema.reward_errors  # noqa: F401 - whoever imports them has declared them
from domain.errors import Refusal
from schema.errors import UserError, concrete_refusals, user_error_type
from schema.faults import FAULTS
from schema.texts import TEXTS

_HEAD: Final = """\
# Errors

<!-- Made by `python -m api.cli print-errors`: change the code it is made from, not this page. -->

Every code that the gateway answers. Codes are stable and additive: a client treats one that it
does not know as a plain refusal. What to do about them is told by the guides for
[mini-programs](mini-program.md) and for [shops](shops.md).

## Refusals

A refusal is an answer, not a failure: something about the request, or about the world, is not so.
It stands in `userErrors` of a mutation's payload, whose other fields are null then, and nothing was
changed. The one exception is `REFRESH_TOKEN_REUSED`, which ends the session. In a batch a refusal
is the `code` of one receipt; on the command line it is one line that begins with `refused:`.

Every refusal has `code`, `message`, `field` (the path inside `input`, or null) and `retryable`
(whether sending the same again later may succeed). A type other than `PlainUserError` adds the
facts that are named beside it. The last two columns are `message`; `{x}` stands for a fact.
"""

_FAULTS_HEAD: Final = """\
## Top-level errors

These are for authentication, authorization, limits, malformed requests and our own faults. They
stand in `errors`, each with `extensions { code requestId }`; some codes add `limit`, `requested`,
`retryAfter`, `reason` or `argument`. Only the first few are answered (`JIFEN_LIMITS__ERRORS_MAX`).

The status is that of an answer that consists of errors alone. Where the HTTP request is at fault
(its token, method, media type, size or JSON), or it comes at a bad time (`RATE_LIMITED`,
`OVERLOADED`, `DEADLINE_EXCEEDED`), everyone gets it. Where the GraphQL document or its
values are at fault, only a client that asked for `application/graphql-response+json` does, and all
others get 200. So read the code, not the status.

An answer whose `data` is null, or has nothing but null in it, and whose errors are all
`RATE_LIMITED` or `OVERLOADED`, has 429 or 503 too (that of its first error) and `Retry-After`, for
every client: nothing was answered, and the same may be sent again. With anything else in `data` the
status is 200.
"""

_REFUSAL_COLUMNS: Final = ("code", "returned when", "retryable", "type", "中文", "English")
_FAULT_COLUMNS: Final = ("code", "status", "meaning")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalFacts:
    """What is to be known of one refusal. `{x}` in a text stands for the fact `x`."""

    code: str
    when: str
    retryable: bool
    type_name: str
    fact_names: tuple[str, ...]
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class RefusalGroup:
    """The refusals of one branch of the tree."""

    title: str
    refusals: tuple[RefusalFacts, ...]


def refusal_groups() -> list[RefusalGroup]:
    """Every refusal, below the branches of the tree, in its order."""
    return [
        RefusalGroup(_title(branch), tuple(_facts_of(one) for one in refusals))
        for branch, refusals in _branches().items()
    ]


def error_catalogue() -> str:
    """The whole page."""
    parts = [_HEAD]
    for group in refusal_groups():
        parts.append(f"### {group.title}\n")
        parts.append(_table(_REFUSAL_COLUMNS, (_refusal_row(one) for one in group.refusals)))
    parts.append(_FAULTS_HEAD)
    parts.append(
        _table(
            _FAULT_COLUMNS,
            ((f"`{code}`", str(fault.status), fault.meaning) for code, fault in FAULTS.items()),
        )
    )
    return "\n".join(parts)


def _branches() -> dict[type[Refusal], list[type[Refusal]]]:
    """The refusals below each branch of the tree, in its order; Refusal has those of no branch."""
    found: dict[type[Refusal], list[type[Refusal]]] = {}
    for refusal in concrete_refusals():
        found.setdefault(refusal.__bases__[0], []).append(refusal)
    return found


def _title(branch: type[Refusal]) -> str:
    if branch is Refusal:
        return "General"
    words = _documentation(branch).removeprefix("The branch of ").rstrip(".")
    return words[0].upper() + words[1:]


def _facts_of(refusal: type[Refusal]) -> RefusalFacts:
    text = TEXTS[refusal.code]
    told_by = user_error_type(refusal)
    return RefusalFacts(
        code=refusal.code,
        when=_documentation(refusal).removeprefix("Returned when ").rstrip("."),
        retryable=refusal.retryable,
        type_name=told_by.__name__,
        fact_names=_fact_names(told_by),
        zh=text.zh.replace("{refusal.", "{"),
        en=text.en.replace("{refusal.", "{"),
    )


def _fact_names(told_by: type[UserError]) -> tuple[str, ...]:
    common = {one.name for one in dataclasses.fields(UserError)}
    shown = get_object_definition(told_by, strict=True).fields
    return tuple(to_camel_case(one.python_name) for one in shown if one.python_name not in common)


def _refusal_row(refusal: RefusalFacts) -> Sequence[str]:
    facts = ", ".join(f"`{name}`" for name in refusal.fact_names)
    return (
        f"`{refusal.code}`",
        refusal.when,
        "yes" if refusal.retryable else "no",
        f"`{refusal.type_name}`" + (f": {facts}" if facts else ""),
        refusal.zh,
        refusal.en,
    )


def _documentation(refusal: type[Refusal]) -> str:
    """The docstring as one line."""
    return " ".join(inspect.cleandoc(refusal.__doc__ or "").split())


def _table(columns: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )
