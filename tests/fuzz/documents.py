"""GraphQL documents that are nearly right, or right and unreasonable."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Final

from tests.fuzz.texts import NUMBERS, STRANGE

_TOKEN: Final = re.compile(r'"[^"]*"|\.\.\.|[A-Za-z_]\w*|\d+|[^\s\w]')

_PIECES: Final = (
    *("{", "}", "(", ")", "[", "]", "...", ":", "!", "=", "|", "&", "@", "$", "#", "\\", '"'),
    *('"""', "\0", "\ufeff", "，", "query", "mutation", "subscription", "fragment", "on", "null"),
    *("__typename", "@skip(if: true)", "@include(if: $x)", "@defer", "@oneOf", "first: 100"),
    *('"\\u{110000}"', '"\\uD800"', '"\\x"', '"\n"', '"""\\"""', "me", "node", "id"),
)


def mutated(random: Random, valid: list[str]) -> str:
    """A valid document with tokens lost, doubled, moved or put in."""
    tokens = _TOKEN.findall(random.choice(valid))
    for _ in range(random.randint(1, 5)):
        at = random.randrange(len(tokens))
        change = random.randrange(5)
        if change == 0 and len(tokens) > 1:
            del tokens[at]
        elif change == 1:
            tokens.insert(at, random.choice(_PIECES))
        elif change == 2:
            tokens[at] = random.choice((*_PIECES, *NUMBERS))
        elif change == 3:
            tokens[at:at] = tokens[at : at + random.randint(1, 12)]
        else:
            other = random.randrange(len(tokens))
            tokens[at], tokens[other] = tokens[other], tokens[at]
    return " ".join(tokens)


def unreasonable(random: Random) -> str:
    """A document that is large, deep, circular or absurd in one way."""
    return random.choice(_SHAPES)(random, random.choice((2, 8, 40, 300, 3_000)))


def _deep(random: Random, size: int) -> str:
    return "{ me { " * size + "id" + " } }" * size


def _aliases(random: Random, size: int) -> str:
    return "{" + " ".join(f"a{number}: __typename" for number in range(size)) + "}"


def _repeated(random: Random, size: int) -> str:
    return "{" + "__typename " * size + "}"


def _directives(random: Random, size: int) -> str:
    return "{ __typename " + "@skip(if: false) " * size + "}"


def _circle(random: Random, size: int) -> str:
    fragments = (
        f"fragment F{number} on Query {{ ...F{(number + 1) % size} }}" for number in range(size)
    )
    return "{ ...F0 } " + " ".join(fragments)


def _fan(random: Random, size: int) -> str:
    """Each fragment spreads the next one twice."""
    last = min(size, 60)
    fragments = (
        f"fragment F{number} on Query {{ ...F{number + 1} ...F{number + 1} }}"
        for number in range(last)
    )
    return "{ ...F0 } " + " ".join(fragments) + f" fragment F{last} on Query {{ __typename }}"


def _introspection(random: Random, size: int) -> str:
    deep = "fields { type { " * min(size, 30) + "name" + " } }" * min(size, 30)
    return "{ __schema { types { " + deep + " } } }"


def _operations(random: Random, size: int) -> str:
    return " ".join(f"query Q{number} {{ __typename }}" for number in range(size))


def _number(random: Random, size: int) -> str:
    return "{ me { ledger(first: " + random.choice(NUMBERS) + ") { nodes { id } } } }"


def _string(random: Random, size: int) -> str:
    strange = random.choice(STRANGE)
    quote = random.choice(('"', '"""', "'"))
    return "{ node(id: " + quote + strange + quote + ") { id } }"


def _list(random: Random, size: int) -> str:
    return "{ node(id: " + "[" * size + "]" * size + ") { id } }"


def _object(random: Random, size: int) -> str:
    return "{ node(id: " + "{a: " * size + "1" + "}" * size + ") { id } }"


def _variables(random: Random, size: int) -> str:
    names = " ".join(f"$v{number}: [[String!]!]! = [[]]" for number in range(size))
    return f"query ({names}) {{ __typename }}"


def _types(random: Random, size: int) -> str:
    return "query ($v: " + "[" * size + "Int" + "]" * size + ") { __typename }"


def _definitions(random: Random, size: int) -> str:
    return "type T { a: Int } " * size + "{ __typename }"


def _comments(random: Random, size: int) -> str:
    return "# " + "积" * size + "\n{ __typename }" + "\n#" * size


def _unclosed(random: Random, size: int) -> str:
    return random.choice(('{ node(id: "', '{ node(id: """', "{ me { ", "query (", "#")) + "a" * size


_SHAPES: Final[tuple[Callable[[Random, int], str], ...]] = (
    _deep,
    _aliases,
    _repeated,
    _directives,
    _circle,
    _fan,
    _introspection,
    _operations,
    _number,
    _string,
    _list,
    _object,
    _variables,
    _types,
    _definitions,
    _comments,
    _unclosed,
)
