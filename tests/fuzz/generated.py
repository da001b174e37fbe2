"""Valid documents that `hypothesis-graphql` makes from the schema, with values of our scalars."""

from __future__ import annotations

from typing import Final

import graphql
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import from_schema, nodes

from tests.fuzz.texts import STRANGE
from tests.repository.tree import ROOT

SDL: Final = (ROOT / "schema" / "schema.graphql").read_text()

_NO_NUL: Final = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_STRINGS: Final = st.text(_NO_NUL, max_size=30) | st.sampled_from(
    [one for one in STRANGE if "\0" not in one and len(one) < 400]
)
_WHOLE: Final = st.integers(-(2**53), 2**53) | st.sampled_from([0, 1, -1, 2**31, 2**63, 10**30])
_MOMENTS: Final = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z") | _STRINGS
_DAYS: Final = st.dates().map(str) | _STRINGS

SCALARS: Final[dict[str, st.SearchStrategy[graphql.ValueNode]]] = {
    "Date": _DAYS.map(nodes.String),
    "DateTime": _MOMENTS.map(nodes.String),
    "Fen": _WHOLE.map(nodes.Int),
    "PhoneNumber": (st.from_regex(r"\A\+[1-9][0-9]{5,14}\Z") | _STRINGS).map(nodes.String),
    "Points": _WHOLE.map(nodes.Int),
    "URL": (st.from_regex(r"\Ahttps?://[a-z]{1,9}\.cn/[a-z]{0,9}\Z") | _STRINGS).map(nodes.String),
}
"""A strategy for each scalar of ours, which values that it refuses belong to as well."""


def generated_documents(count: int) -> list[str]:
    """So many documents, always the same ones."""
    made: list[str] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(from_schema(SDL, custom_scalars=SCALARS))
    def make(document: str) -> None:
        made.append(document)

    make()
    return made
