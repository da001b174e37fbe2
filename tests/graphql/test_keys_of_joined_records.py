"""A request whose answer got lost is sent again after a merge, by the person who is now another.

Whose mutations take a key comes from the schema, and how each is sent from `first_requests`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from domain import storage
from schema.policies import OWNER
from schema.requirements import field_policy
from schema.root import build_schema
from tests.graphql.gateway import Gateway
from tests.graphql.joining import errors, merged
from tests.graphql.kept import changed, everything_kept
from tests.graphql.test_altered_fields import KEYS, first_requests, keyed_mutations, send

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_the_other_record_asked_for_is_done_once(
    gateway: Gateway, tally: Callable[[str, int, int], None]
) -> None:
    schema = build_schema()._schema
    assert schema.mutation_type is not None
    policies = {name: field_policy(one) for name, one in schema.mutation_type.fields.items()}
    kinds = {
        name: kind for name, kind in keyed_mutations(schema).items() if policies[name] == OWNER
    }
    requests = await first_requests(gateway)
    sent: dict[str, dict[str, Any]] = {}
    for name, kind in kinds.items():
        (key,) = set(KEYS) & set(kind.fields)
        sent[name] = requests[name].given | {key: gateway.named(f"key of {name}")}
        assert await send(gateway, name, kind.name, requests[name], sent[name]) == []
    losers = [await gateway.sign_in(f"o-{name}") for name in ("alice", "bob", "carol")]
    keeper = await gateway.sign_in("o-keeper")
    for number, loser in enumerate(losers):
        named = ({"id": keeper.member_id}, {"id": loser.member_id})
        assert errors(await merged(gateway, *named, key=f"m-{number}")) == []
    keeper = await gateway.sign_in("o-alice")
    before = await everything_kept()
    for name, kind in kinds.items():
        theirs = replace(requests[name], token=keeper.access_token)
        again = await send(gateway, name, kind.name, theirs, sent[name])
        assert (name, again, changed(before, await everything_kept())) == (name, [], set())
    tally(f"requests sent again after a merge on {storage.dialect()}", len(kinds), 10)
