"""What an account may hold: scopes of API clients (`purchases:write`), roles of staff (`service`).

They are kept as OAuth writes scopes: words with one space between, in order.
"""

from __future__ import annotations

import re
from typing import Final

from domain.errors import InvalidInput
from domain.texts import clean_text

CODE_CHARACTERS_MAX: Final = 64
_NAME_CHARACTERS_MAX: Final = 128
_GRANT_CHARACTERS_MAX: Final = 64
_GRANT: Final = re.compile(r"[a-z][a-z0-9_-]*(:[a-z][a-z0-9_-]*)?")


def clean_name(name: str) -> str:
    """The name of an account, unchanged, or InvalidInput."""
    return clean_text(name, field=("name",), characters_min=1, characters_max=_NAME_CHARACTERS_MAX)


def clean_grants(grants: frozenset[str], *, field: str) -> frozenset[str]:
    """The scopes or roles, unchanged, or InvalidInput."""
    for grant in grants:
        if len(grant) > _GRANT_CHARACTERS_MAX or not _GRANT.fullmatch(grant):
            raise InvalidInput(field=(field,), rule="lower-case words like purchases:write")
    return grants


def words(grants: frozenset[str]) -> str:
    """The grants as they are kept."""
    return " ".join(sorted(grants))


def from_words(kept: str) -> frozenset[str]:
    """The grants that `words` wrote."""
    return frozenset(kept.split())
