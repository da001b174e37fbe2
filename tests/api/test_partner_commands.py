"""The commands about partner platforms, as an operator runs them; each is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.api.test_commands import CommandLine

NAMES = ("--name-zh", "凡趣互动", "--name-en", "[b]Fanqu")
CAPS = ("--points-per-day", "5000", "--points-per-member-day", "300")


@pytest.fixture
def command(sqlite_url: str, tmp_path: Path) -> CommandLine:
    """Commands are thin: what they ask for runs on both databases in the domain's own tests."""
    return CommandLine(url=sqlite_url, keys=tmp_path / "keys.json")


def test_the_life_of_a_partner(command: CommandLine) -> None:
    added = command.run("add-partner", "fanqu", *NAMES, *CAPS, "--network", "203.0.113.0/24")
    assert added == "partner fanqu, version 1: 5,000 points a day, 300 of a member\n"
    assert (
        command.run("add-partner", "fanqu", *NAMES, *CAPS, "--network", "203.0.113.0/24") == added
    )
    assert "CODE_TAKEN" in command.run("add-partner", "fanqu", *NAMES, *CAPS, status=1)
    assert "INVALID_INPUT" in command.run(
        "add-partner", "x", *NAMES, *CAPS, "--network", "203.0.113.1/24", status=1
    )
    changed = command.run(
        *("change-partner", "fanqu", "--points-per-day", "6000", "--anywhere"),
        *("--webhook-url", "https://fanqu.example/hooks"),
    )
    assert changed == "partner fanqu, version 2: 6,000 points a day, 300 of a member\n"
    assert "--network or --anywhere" in command.run(
        "change-partner", "fanqu", "--network", "10.0.0.0/8", "--anywhere", status=2
    )
    assert "say what to change" in command.run("change-partner", "fanqu", status=2)
    assert "PARTNER_UNKNOWN" in command.run("change-partner", "x", "--sandbox", status=1)
    row = r"(?m)^fanqu +凡趣互动 \(\[b\]Fanqu\) +6,000 +300 +any +(\S+) +none +enabled *$"
    [url] = re.findall(row, command.run("list-partners"))
    assert url == "https://fanqu.example/hooks"
    command.run("change-partner", "fanqu", "--sandbox", "--no-webhooks")
    command.run("disable-account", "fanqu")
    assert re.search(
        r"(?m)^fanqu .* any +none +none +disabled \S+ *$", command.run("list-partners")
    )
    assert [entry.action for entry in command.log()] == [
        *("account.register", "partner.register") * 2,
        *("partner.change", "partner.change", "account.disable"),
    ]


def test_keys_of_a_partner_are_given_and_retired(command: CommandLine, tmp_path: Path) -> None:
    command.run("add-partner", "fanqu", *NAMES, *CAPS)
    file = tmp_path / "public.pem"
    public = Ed25519PrivateKey.generate().public_key()
    file.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    [first] = command.run("add-partner-key", "fanqu", "ED25519", "--public-key", str(file)).split(
        "\n"
    )[:-1]
    told, secret = command.run("add-partner-key", "fanqu", "HMAC").split()[1:]
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    command.run("add-partner-key", "fanqu", "HMAC")
    assert "PARTNER_KEY_LIMIT_REACHED" in command.run("add-partner-key", "fanqu", "HMAC", status=1)
    assert "INVALID_INPUT" in command.run("add-partner-key", "fanqu", "JWT", status=1)
    until = command.run("retire-partner-key", "fanqu", told, "--at", "2999-12-01T00:00:00+0800")
    assert until == f"HMAC {told} counts until 2999-11-30T16:00:00Z\n"
    assert told in command.run("list-partners")
    command.run("retire-partner-key", "fanqu", told)
    listed = command.run("list-partners")
    assert told not in listed
    assert first in listed
    assert "PARTNER_KEY_UNKNOWN" in command.run(
        "retire-partner-key", "fanqu", "01a2089e-d472-7484-85b0-d6aec4757f2a", status=1
    )
    assert secret not in str(command.log())
