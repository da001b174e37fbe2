"""The server on Node that the gateway is measured against answers the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.home.answers import answers, check_same
from benchmarks.home.building import Sizes, build
from benchmarks.home.contestants import (
    GATEWAY,
    MERCURIUS,
    Contestant,
    gateway_of,
    node_command,
    peer,
)
from tests.closing import ClosingReport
from tests.conftest import part_is_missing


@pytest.mark.conformance
@pytest.mark.timeout(300)
async def test_mercurius_answers_the_same_bytes(
    postgres_url: str, redis_url: str, tmp_path: Path, report: ClosingReport
) -> None:
    node = node_command()
    if node is None:
        part_is_missing(report, "mercurius", "make conformance installs it")
    town = await build(postgres_url, tmp_path, Sizes(members=80, entries=24))
    with (
        gateway_of(town, tmp_path, redis_url=redis_url) as gateway,
        peer(MERCURIUS, node, town, tmp_path) as mercurius,
    ):
        ours = Contestant(GATEWAY, gateway.port, gateway.pid)
        page = check_same([ours, mercurius], town, members=30)
        assert b"errors" not in page
        # Answered by compiled code too: graphql-jit compiles what comes again.
        token = town.member_tokens[:1]
        assert answers(mercurius, token) == answers(mercurius, token) == answers(ours, token)
