"""Pieces that malformed requests are made of: strange strings, numbers, nestings, broken bytes."""

from __future__ import annotations

from random import Random
from typing import Final

STRANGE: Final = (
    "",
    " ",
    "\0",
    "\0" * 50,
    "\ufeff{}",
    "积分" * 40,
    "🎁\u200d🎁",
    "e\u0301" * 30,
    "\u202eoffer\u202c",
    "\u2028\u2029\x85",
    "\uffff\ufffe",
    "-0",
    "null",
    "true",
    "%00%ff%zz",
    "' OR 1=1 --",
    '"; DROP TABLE member; --',
    "${jndi:ldap://127.0.0.1/a}",
    "../../../../etc/passwd",
    "{{7*7}}",
    "%s%s%n",
    "<script>alert(1)</script>",
    "A" * 300,
    "A" * 20_000,
    "=" * 64,
    "TWVtYmVyOg==",
    "TWVtYmVyOjEyMw",
    "2026-02-30T25:61:61Z",
    "9999-12-31T23:59:59.999999999+14:00",
    "-0001-01-01",
    "+8613800000000000000000",
)

NUMBERS: Final = (
    "0",
    "-0",
    "-1",
    "1e999",
    "-1e999",
    "1E400",
    "0.1e-400",
    "9007199254740991",
    "9007199254740992",
    "2147483648",
    "-2147483649",
    "9223372036854775808",
    "18446744073709551616",
    "-18446744073709551617",
    "1" * 310,
    "9" * 4_301,
    "9" * 20_000,
    "-" + "9" * 20_000,
    "0." + "1" * 20_000,
    "00012",
    "1_000",
    "0x10",
    "NaN",
    "Infinity",
    "1.",
    ".5",
    "+1",
    "1e",
)

LONE_SURROGATES: Final = (r'"\ud800"', r'"\udfff\ud800"', r'"a\udc00b"')

BROKEN_UTF8: Final = (
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\x80",
    b"\xe2\x82",
)
_NESTINGS: Final = (("[", "]"), ('{"a":', "}"), ("[[],", "]"), ('{"query":', "}"))


def nested(random: Random) -> bytes:
    """JSON that is deep, closed or not."""
    depth = random.choice((30, 200, 1_000, 5_000, 60_000))
    opening, closing = random.choice(_NESTINGS)
    closed = random.random() < 0.5
    return (opening * depth + ("0" + closing * depth if closed else "")).encode()


def scalar(random: Random) -> bytes:
    """Any JSON, or nearly JSON, that is no object."""
    return random.choice(
        (
            b"",
            b"null",
            b"true",
            b"5",
            b'"text"',
            b"[]",
            b"[1]",
            b'[{"query":"{__typename}"}]',
            b"{}",
            b"{",
            b"}",
            b'{"query"}',
            b"{'query': '{__typename}'}",
            b'{"query":"{__typename}",}',
            b'{"query":"{__typename}"} {"query":"{__typename}"}',
            b'// why\n{"query":"{__typename}"}',
            random.choice(LONE_SURROGATES).encode(),
            random.choice(NUMBERS).encode(),
        )
    )


def value(random: Random, depth: int = 3) -> str:
    """A JSON value of any type, as text, so that numbers may be of any length."""
    kind = random.randrange(9 if depth else 6)
    if kind == 0:
        return random.choice(("null", "true", "false"))
    if kind in {1, 2}:
        return random.choice(NUMBERS)
    if kind in {3, 4}:
        return quoted(random.choice(STRANGE))
    if kind == 5:
        return random.choice(LONE_SURROGATES)
    parts = [value(random, depth - 1) for _ in range(random.randrange(5))]
    if kind == 6:
        return f"[{','.join(parts)}]"
    names = (quoted(random.choice((*STRANGE[:20], "input", "code", "appId"))) for _ in parts)
    return "{" + ",".join(f"{name}:{part}" for name, part in zip(names, parts, strict=True)) + "}"


def quoted(text: str) -> str:
    """The text as a JSON string, escaped no more than it must be."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if one >= " " else f"\\u{ord(one):04x}" for one in escaped) + '"'


def damaged(content: bytes, random: Random) -> bytes:
    """The content after a few accidents."""
    spoiled = bytearray(content)
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(spoiled) + 1)
        accident = random.randrange(6)
        if accident == 0 and spoiled:
            spoiled[at % len(spoiled)] ^= 1 << random.randrange(8)
        elif accident == 1:
            del spoiled[at : at + random.randint(1, 8)]
        elif accident == 2:
            spoiled[at:at] = random.choice(BROKEN_UTF8)
        elif accident == 3:
            spoiled[at:at] = random.randbytes(random.randint(1, 6))
        elif accident == 4:
            spoiled[at:at] = spoiled[at : at + random.randint(1, 40)]
        else:
            del spoiled[at:]
    return bytes(spoiled)
