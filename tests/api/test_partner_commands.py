"""The commands about partner platforms, as an operator runs them; each is told."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from domain import games, members
from domain.members import ByExternalReference
from schema.node import encode_global_id
from tests.api.test_commands import CommandLine
from tests.domain.games.arcade import NOW

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
    assert "PARTNER_UNKNOWN" in command.run("change-partner", "x", "--no-sandbox", status=1)
    row = r"(?m)^fanqu +凡趣互动 \(\[b\]Fanqu\) +6,000 +300 +any +(\S+) +none +enabled *$"
    [url] = re.findall(row, command.run("list-partners"))
    assert url == "https://fanqu.example/hooks"
    command.run("change-partner", "fanqu", "--no-webhooks")
    command.run("disable-account", "fanqu")
    assert re.search(
        r"(?m)^fanqu .* any +none +none +disabled \S+ *$", command.run("list-partners")
    )
    assert [entry.action for entry in command.log()] == [
        *("account.register", "partner.register") * 2,
        *("partner.change", "partner.change", "account.disable"),
    ]


def test_a_sandbox_has_the_members_whom_it_is_given(command: CommandLine) -> None:
    command.run("add-partner", "tries", *NAMES, *CAPS, "--sandbox")
    command.run("add-partner", "fanqu", *NAMES, *CAPS)
    alice = command.ask(_new_member)
    bind = ("bind-sandbox-member", "tries")
    assert command.run(*bind, str(alice)) == f"{alice} is bound to tries\n"
    assert command.run(*bind, encode_global_id("Member", alice)) == f"{alice} is bound to tries\n"
    assert "no id of a member" in command.run(*bind, "nobody", status=2)
    assert "MEMBER_NOT_FOUND" in command.run(*bind, str(UUID(int=1)), status=1)
    for code, refusal in (("fanqu", "INVALID_INPUT"), ("x", "PARTNER_UNKNOWN")):
        assert refusal in command.run("bind-sandbox-member", code, str(alice), status=1)
    assert [one.partner_code for one in command.ask(lambda: games.bindings_of(alice))] == ["tries"]
    bound = [one for one in command.log() if one.action == "partner.bind_sandbox_member"]
    assert [one.target and one.target.id for one in bound] == ["tries", "tries"]
    assert re.search(r"(?m)^tries .* sandbox *$", command.run("list-partners"))
    command.run("change-partner", "tries", "--no-sandbox")
    assert re.search(r"(?m)^tries .* enabled *$", command.run("list-partners"))


async def _new_member() -> UUID:
    [member_id] = (
        await members.register_external_members([ByExternalReference("alice")], now=NOW)
    ).values()
    return member_id


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
