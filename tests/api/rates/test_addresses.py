"""Whose an anonymous request is."""

from __future__ import annotations

import pytest

from api.rates.addresses import client_address


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        # One household has 2^64 addresses, and one bucket.
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:DB8:0001:0002:0:0:0:9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::1", "::/64"),
        ("testclient", "unknown"),
        ("", "unknown"),
        ("203.0.113.7, 10.0.0.1", "unknown"),
    ],
)
def test_addresses_are_told_as_one_person_has_them(host: str, address: str) -> None:
    assert client_address({"type": "http", "client": (host, 50_000)}) == address


def test_without_a_peer_there_is_one_bucket() -> None:
    assert client_address({"type": "http", "client": None}) == "unknown"
    assert client_address({"type": "http"}) == "unknown"
