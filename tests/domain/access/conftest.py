"""The fixtures of this folder."""

from tests.domain.access import fixtures

key_path = fixtures.key_path
ring = fixtures.ring
tokens = fixtures.tokens
