"""The fake WeChat, which the gateway of the imported members speaks to; keys of their phones."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.members import PhoneKeyFile, use_phone_keys
from tests.domain.wechat import fixtures

_serving_fake = fixtures._serving_fake
clock = fixtures.clock
fake = fixtures.fake


@pytest.fixture(autouse=True)
def _same_phone_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands keep phone numbers with the keys of this process."""
    path = tmp_path / "keys" / "phone-keys.json"
    monkeypatch.setenv("JIFEN_PHONE_KEYS_PATH", str(path))
    use_phone_keys(PhoneKeyFile(path, now=datetime.now(UTC), create_missing=True))
