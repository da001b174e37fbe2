"""Valid documents that `hypothesis-graphql` makes from the schema, with values of our scalars."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Final

import graphql
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import mutations, nodes, queries

from tests.fuzz.texts import STRANGE
from tests.repository.tree import ROOT

SDL: Final = (ROOT / "schema" / "schema.graphql").read_text()

_SIZE: Final = re.compile(r"\b(first): -?\d+")
_ID: Final = re.compile(r'\b(id): "[^"]*"')

_NO_NUL: Final = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_STRINGS: Final = st.text(_NO_NUL, max_size=30) | st.sampled_from(
    [one for one in STRANGE if "\0" not in one and len(one) < 400]
)
_WHOLE: Final = (
    st.integers(0, 10**6)
    | st.integers(-(2**53), 2**53)
    | st.sampled_from([0, 1, -1, 2**31, 2**63, 10**30])
)
_MOMENTS: Final = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z") | _STRINGS
_DAYS: Final = st.dates().map(str) | _STRINGS

SCALARS: Final[dict[str, st.SearchStrategy[graphql.ValueNode]]] = {
    "Date": _DAYS.map(nodes.String),
    "DateTime": _MOMENTS.map(nodes.String),
    "Fen": _WHOLE.map(nodes.Int),
    "PhoneNumber": (st.from_regex(r"\A\+86138[0-9]{8}\Z") | _STRINGS).map(nodes.String),
    "Points": _WHOLE.map(nodes.Int),
    "URL": (st.from_regex(r"\Ahttps?://[a-z]{1,9}\.cn/[a-z]{0,9}\Z") | _STRINGS).map(nodes.String),
}
"""A strategy for each scalar of ours, which values that it refuses belong to as well."""


def generated_documents(count: int) -> list[str]:
    """So many documents, always the same ones. Each asks for one field of a root, by turns."""
    schema = graphql.build_schema(SDL)
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    strategies = [
        *(queries(SDL, fields=[one], custom_scalars=SCALARS) for one in schema.query_type.fields),
        *(
            mutations(SDL, fields=[one], custom_scalars=SCALARS)
            for one in schema.mutation_type.fields
        ),
    ]
    share = -(-count // len(strategies))
    made = [examples(strategy, share) for strategy in strategies]
    return [document for turn in zip(*made, strict=True) for document in turn][:count]


def plausible(document: str, number: int, ids: Sequence[str]) -> str:
    """The document with lists of a size that is served, and in every third with an id that is."""
    sized = _SIZE.sub(rf"\1: {number % 100 + 1}", document)
    return _ID.sub(rf'\1: "{ids[number % len(ids)]}"', sized) if number % 3 == 0 else sized


def examples(strategy: st.SearchStrategy[str], count: int) -> list[str]:
    """So many examples; where there are fewer different ones, some stand there twice."""
    made: list[str] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def make(document: str) -> None:
        made.append(document)

    make()
    return list(islice(cycle(made), count))
