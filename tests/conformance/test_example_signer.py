"""The signer of `examples/partner-game` in JavaScript, on the vectors that the Python one signs."""

from __future__ import annotations

import re

import pytest

from tests.conformance.conftest import Clients
from tests.repository.tree import ROOT

pytestmark = pytest.mark.conformance

EXAMPLE = ROOT / "examples" / "partner-game"


def test_the_signer_in_javascript_signs_the_same(clients: Clients) -> None:
    told = clients.run(
        clients.node, "--test", "--test-reporter=tap", "signing.test.mjs", cwd=EXAMPLE
    )
    counts = dict(re.findall(r"(?m)^# (pass|fail|skipped) (\d+)$", told))
    assert counts == {"pass": "8", "fail": "0", "skipped": "0"}
    clients.note("examples/partner-game/signing.mjs", "vectors", "3 of 3, text and bytes")
