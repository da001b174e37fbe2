"""Documents that `hypothesis-graphql` makes, always the same ones."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from graphql import GraphQLSchema, GraphQLSyntaxError
from hypothesis import strategies as st
from hypothesis_graphql import nodes

from tests.execution.varied import Varied, varied

LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "DateTime": st.just(nodes.String("2026-03-01T00:00:00Z")),
    "Even": st.integers(0, 10).map(nodes.Int),
    "JSON": st.just(nodes.String("x")),
}


def variations(
    schema: GraphQLSchema, texts: Sequence[str], dice: random.Random
) -> Iterator[Varied]:
    """Each with variables, conditions, fragments and repetitions, as far as that is valid."""
    for text in texts:
        found = None
        with suppress(GraphQLSyntaxError):  # Whoever put ids in may have broken a string.
            found = varied(schema, text, dice)
        if found is not None:
            yield found
