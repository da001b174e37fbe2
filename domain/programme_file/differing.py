"""What differs between two documents of a programme, field by field. Decided purely."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field before and after, None where it was or is not there.

    Things of a list are named by their codes: `levels[gold].perks[cake].quota`.
    """

    path: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        before, after = _on_one_line(self.before), _on_one_line(self.after)
        if before is None:
            return f"+ {self.path}: {after}"
        if after is None:
            return f"- {self.path}: {before}"
        return f"  {self.path}: {before} -> {after}"


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What differs, in the order of the documents."""
    return list(_fields(before, after, path=""))


def _fields(before: Mapping[str, Any], after: Mapping[str, Any], *, path: str) -> Iterator[Change]:
    for name in dict.fromkeys([*before, *after]):
        inside = f"{path}.{name}" if path else name
        yield from _values(before.get(name), after.get(name), path=inside)


def _values(before: Any, after: Any, *, path: str) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, dict) or isinstance(after, dict):
        yield from _fields(before or {}, after or {}, path=path)
    elif isinstance(before, list) or isinstance(after, list):
        yield from _things(before or [], after or [], path=path)
    else:
        yield Change(path=path, before=_shown(before), after=_shown(after))


def _things(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], *, path: str
) -> Iterator[Change]:
    was = {_name(one): one for one in before}
    is_now = {_name(one): one for one in after}
    stayed = [code for code in was if code in is_now]
    if stayed != (moved := [code for code in is_now if code in was]):
        yield Change(path=path, before=", ".join(stayed), after=", ".join(moved))
    for code in dict.fromkeys([*was, *is_now]):
        inside = f"{path}[{code}]"
        yield from _fields(was.get(code, {}), is_now.get(code, {}), path=inside)


def _name(thing: Mapping[str, Any]) -> str:
    """The code of a thing; a promise goes by what it is for: `COMPLAINT/*/gold`."""
    if "code" in thing:
        return str(thing["code"])
    return "/".join(str(thing.get(one, "*")) for one in ("kind", "topic", "level"))


def _shown(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _on_one_line(text: str | None) -> str | None:
    return None if text is None else text.replace("\n", "\\n").replace("\t", "\\t")
