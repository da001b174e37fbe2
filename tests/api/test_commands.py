"""The commands about accounts, keys and the audit log, as an operator runs them; each is told."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import orjson
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from api.cli.commands import app
from domain import access, audit, members, storage
from domain.access import AccessTokens, KeyRing
from domain.audit import AuditEntry, Head, Target
from domain.clock import Clock
from domain.files import ErasureJournal
from domain.ledger import Earn, Source, post
from domain.paging import PageRequest
from tests.domain.access.fixtures import ISSUER
from tests.domain.tiers.evaluated import bought, joined
from tests.domain.tiers.levels import three_levels

T = TypeVar("T")

USER = f"cli:{pwd.getpwuid(os.getuid()).pw_name}"


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Runs commands on one database."""

    url: str
    keys: Path

    def run(self, *arguments: str, status: int = 0) -> str:
        """Run a command to its end; returns what it printed, complaints too."""
        environment = {
            "DATABASE_URL": self.url,
            "JIFEN_KEY_SET_PATH": str(self.keys),
            "JIFEN_ISSUER": ISSUER,
            "JIFEN_CUSTODY__FILES_PATH": str(self.keys.with_name("files")),
            "JIFEN_CUSTODY__ERASURES_PATH": str(self.keys.with_name("erasures.jsonl")),
            "COLUMNS": "80",
        }
        result = CliRunner().invoke(app, arguments, env=environment)
        assert result.exit_code == status, (result.output, result.exception)
        return result.output

    def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """The answer of the domain itself."""

        async def connected() -> T:
            await storage.connect(self.url)
            try:
                return await question()
            finally:
                await storage.close()

        return asyncio.run(connected())

    def log(self) -> list[AuditEntry]:
        """What was told to the audit log, oldest first."""

        async def read() -> list[AuditEntry]:
            return list((await audit.entries(PageRequest(first=100))).items)

        return list(reversed(self.ask(read)))

    def is_good(self, token: str) -> bool:
        """Whether the token is accepted now."""
        now = Clock().now()
        caller = AccessTokens(KeyRing(self.keys, now=now), ISSUER).verify(token, now)

        async def authenticate() -> bool:
            try:
                await access.authenticate_account(caller)
            except access.InvalidAccessToken:
                return False
            return True

        return self.ask(authenticate)


@pytest.fixture
def command(sqlite_url: str, tmp_path: Path) -> CommandLine:
    """Commands are thin: what they ask for runs on both databases in the domain's own tests."""
    return CommandLine(url=sqlite_url, keys=tmp_path / "keys.json")


def test_the_life_of_a_client(command: CommandLine) -> None:
    added = command.run("add-client", "kiosk", "--name", "[b]茶馆", "--scope", "purchases:write")
    assert added == "shop kiosk: purchases:write\n"
    assert "CODE_TAKEN" in command.run("add-client", "kiosk", "--name", "x", status=1)
    assert "shop or partner" in command.run(
        "add-client", "x", "--name", "x", "--kind", "member", status=2
    )
    assert command.run("set-grants", "kiosk", "points:hold", "purchases:write") == (
        "shop kiosk: points:hold purchases:write\n"
    )
    assert "purchases:writ" in command.run(
        "add-client", "y", "--name", "y", "--scope", "purchases:writ", status=2
    )
    refused = command.run("set-grants", "kiosk", "purchases:writ", status=1)
    assert refused.startswith("refused: INVALID_INPUT")
    assert "points:hold" in refused
    assert "name at least one, or --none" in command.run("set-grants", "kiosk", status=2)
    assert "name at least one, or --none" in command.run(
        "set-grants", "kiosk", "points:hold", "--none", status=2
    )
    token = command.run("issue-token", "kiosk", "--scope", "points:hold").strip()
    assert command.is_good(token)
    assert command.run("set-grants", "kiosk", "purchases:write") == "shop kiosk: purchases:write\n"
    assert not command.is_good(token)
    assert "SCOPE_NOT_GRANTED" in command.run(
        "issue-token", "kiosk", "--scope", "points:hold", status=1
    )
    listed = command.run("list-clients")
    assert re.search(r"(?m)^kiosk +\[b\]茶馆 +shop +purchases:write +\S+ +enabled *$", listed)
    assert [entry.action for entry in command.log()] == [
        "account.register",
        "account.grants",
        "token.issue",
        "account.grants",
    ]


def test_the_life_of_a_person(command: CommandLine) -> None:
    roles = ("--role", "support", "--role", "auditor")
    added = command.run("add-staff", "li.na", "--name", "李娜", *roles)
    assert added == "staff li.na: auditor support\n"
    assert "owner" in command.run("add-staff", "x", "--name", "x", "--role", "owner", status=2)
    old = command.run("issue-token", "li.na").strip()
    assert command.is_good(old)
    assert command.run("disable-account", "li.na") == "staff li.na (disabled): auditor support\n"
    assert not command.is_good(old)
    assert "ACCOUNT_UNKNOWN" in command.run("issue-token", "li.na", status=1)
    assert re.search(
        r"(?m)^li\.na +李娜 +staff +auditor support +\S+ +disabled \S+ *$",
        command.run("list-staff"),
    )
    assert command.run("enable-account", "li.na") == "staff li.na: auditor support\n"
    assert not command.is_good(old)
    new = command.run("issue-token", "li.na").strip()
    assert command.is_good(new)
    command.run("revoke-tokens", "li.na")
    assert not command.is_good(new)
    assert command.run("set-grants", "li.na", "--none") == "staff li.na: nothing\n"
    assert "INVALID_INPUT" in command.run("set-grants", "li.na", "boss", status=1)
    assert "ACCOUNT_UNKNOWN" in command.run("disable-account", "nobody", status=1)

    entries = command.log()
    assert [entry.action for entry in entries] == [
        "account.register",
        "token.issue",
        "account.disable",
        "account.enable",
        "token.issue",
        "account.revoke_tokens",
        "account.grants",
    ]
    assert {entry.actor for entry in entries} == {USER}
    assert len({entry.request_id for entry in entries}) == len(entries)
    assert {(entry.target.kind, entry.target.id) for entry in entries if entry.target} == {
        ("account", "li.na")
    }
    assert orjson.loads(entries[-1].after or "")["grants"] == []
    assert all(secret not in str(entries) for secret in (old, new, "李娜"))


def test_keys_are_made_and_rotated_and_the_log_tells(command: CommandLine) -> None:
    phones = command.keys.with_name("phone-keys.json")
    assert command.run("create-keys") == f"made {command.keys}\nmade {phones}\n"
    kept = [path.read_bytes() for path in (command.keys, phones)]
    said = command.run("create-keys")
    assert said == f"there already: {command.keys}\nthere already: {phones}\n"
    assert [path.read_bytes() for path in (command.keys, phones)] == kept
    assert command.run("rotate-keys") == "published\n"
    assert command.run("rotate-keys") == "waiting\n"
    entries = command.log()
    assert [entry.action for entry in entries] == ["keys.create"] * 2 + ["keys.rotate"] * 2
    assert {entry.target.id for entry in entries if entry.target} == {str(command.keys)}


def test_phone_numbers_are_sealed_with_new_keys(command: CommandLine) -> None:
    path, now = command.keys.with_name("phone-keys.json"), datetime.now(UTC)
    members.create_phone_keys(path, now=now - timedelta(days=90))
    phones = [f"+86138001380{number:02}" for number in range(7)]

    async def bind() -> None:
        members.use_phone_keys(members.PhoneKeyFile(path, now=now))
        refs = [members.ByExternalReference(phone) for phone in phones]
        joined = await members.register_external_members(refs, now=now)
        bindings = [(joined[phone], phone) for phone in phones]
        await storage.transaction(lambda: members.bind_phone_identities(bindings, now=now))
        # As if another run had made the new keys known and was killed: this one need not wait.
        await members.make_phone_keys_known(path, now=now - timedelta(minutes=1))

    async def found() -> list[str]:
        return sorted(await members.members_by_phones(phones))

    command.ask(bind)
    old, new = (one["id"] for one in orjson.loads(path.read_bytes())["keys"])
    said = command.run("rotate-phone-keys")
    assert said == f"7 phone numbers are sealed with {new} now\n"
    assert [one["id"] for one in orjson.loads(path.read_bytes())["keys"]] == [new, old]
    assert command.ask(found) == phones
    assert command.ask(lambda: members.phones_sealed_before(new)) == 0
    entry = command.log()[-1]
    assert (entry.action, entry.target) == ("phone_keys.rotate", Target(kind="keys", id=str(path)))


def test_whom_a_backup_brought_back_is_erased_again(command: CommandLine) -> None:
    path, now = command.keys.with_name("erasures.jsonl"), datetime.now(UTC)
    refs = [members.ByExternalReference(f"e-{number}") for number in range(3)]

    async def join() -> list[UUID]:
        joined = await members.register_external_members(refs, now=now)
        return [joined[one.reference] for one in refs]

    gone, known, also_gone = command.ask(join)
    # One who was erased, one of another time, and a line that was cut off.
    ErasureJournal(path).append([gone, also_gone, UUID(int=7)], now=now)
    with path.open("ab") as file:
        file.write(orjson.dumps({"member": str(known)}))
    assert command.run("erase-again") == "erased again: 2\n"
    assert command.ask(lambda: members.resolve_members(refs)) == [None, known, None]
    assert command.run("erase-again") == "erased again: 0\n"
    assert command.log()[-1].action == "members.erase_again"
    # One who was never erased leads to the journal's, and no merge is on record to be parted.
    away = "UPDATE member SET merged_into = $2 WHERE id = $1"
    [stuck] = command.ask(lambda: members.register_external_members(refs[:1], now=now)).values()
    command.ask(lambda: storage.execute(away, known, stuck))
    ErasureJournal(path).append([stuck], now=now)
    said = command.run("erase-again", status=1)
    assert said == (
        f"erased again: 0\nnot erased: {stuck} is joined to a record that is not in the"
        " journal, and cannot be parted from it\n"
    )
    with path.open("ab") as file:
        file.write(b"nonsense\n")
    assert "line 8: no erasure" in command.run("erase-again", status=1)


def test_no_key_is_touched_when_the_log_cannot_be_told(command: CommandLine) -> None:
    command.run("create-keys")
    kept = command.keys.read_bytes()
    command.ask(lambda: storage.execute("ALTER TABLE audit_entry RENAME TO audit_entry_away"))
    command.run("rotate-keys", status=1)
    assert command.keys.read_bytes() == kept


def test_a_log_that_takes_no_row_stops_every_act_in_one_line(command: CommandLine) -> None:
    command.run("add-client", "kiosk", "--name", "x")
    command.ask(
        lambda: storage.execute(
            "INSERT INTO audit_entry SELECT 2, at, actor, account_id, action, target_kind,"
            " target_id, before, after, request_id, hash FROM audit_entry"
        )
    )
    assert command.run("disable-account", "kiosk", status=1) == (
        "nothing was done: the audit log does not take row 2: its chain is broken; "
        "look with `verify-audit`\n"
    )
    assert "enabled" in command.run("list-clients")
    assert command.run("verify-audit", status=1) == "row 2 of the audit log: inserted\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("create-keys",),
        ("list-clients",),
        ("add-client", "kiosk", "--name", "x"),
        ("verify-audit",),
    ],
)
def test_without_tables_a_command_says_what_to_do_first(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    empty = CommandLine(url=f"sqlite://{tmp_path}/empty.db", keys=tmp_path / "keys.json")
    said = empty.run(*arguments, status=1)
    assert re.fullmatch(r"the database is not migrated \(.+\): run `migrate` first\n", said)
    assert not empty.keys.exists()


def test_the_log_is_verified(command: CommandLine) -> None:
    assert command.run("verify-audit").startswith("0 rows are as they were written\nhead 0:")
    command.run("add-client", "kiosk", "--name", "x")
    command.run("revoke-tokens", "kiosk")
    said = command.run("verify-audit")
    head = command.ask(audit.head)
    assert said == f"2 rows are as they were written\nhead {head}\n"
    assert head == Head(seq=2, hash=command.log()[-1].hash)
    assert command.run("verify-audit", "--head", str(head)) == said
    for wrong in ("2", "x:00", "2:zz"):
        assert "a number, a colon and a hash" in command.run(
            "verify-audit", "--head", wrong, status=2
        )
    other = Head(seq=1, hash=head.hash)
    assert command.run("verify-audit", "--head", str(other), status=1) == (
        "row 1 of the audit log: altered\n"
    )
    command.ask(lambda: storage.execute("DROP TRIGGER audit_head_follows"))
    command.ask(lambda: storage.execute("UPDATE audit_head SET seq = 3"))
    assert command.run("verify-audit", status=1) == "row 3 of the audit log: missing\n"


def test_files_and_events_are_handed_in_under_a_name(command: CommandLine, tmp_path: Path) -> None:
    products = tmp_path / "products.csv"
    products.write_text("code,title\ntea,Tea\n")
    command.run("import-products", str(products), "--rejects", str(tmp_path / "rejects.csv"))
    command.run("outbox", "replay", "--all")
    told = [(entry.actor, entry.action, entry.target) for entry in command.log()]
    assert told == [
        (USER, "import.products", Target(kind="file", id="products.csv")),
        (USER, "outbox.replay", Target(kind="events", id="all")),
    ]


def test_points_are_swept(command: CommandLine) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    due = [
        Earn(
            member_id=UUID(int=nth),
            points=5,
            source=Source(kind="purchase", reference=f"order-{nth}"),
            effective_at=long_ago,
            expires_at=long_ago + timedelta(days=30),
        )
        for nth in range(1, 4)
    ]
    command.ask(lambda: post(due, now=long_ago))
    assert command.run("sweep-points") == "3 entries written, 3 accounts are up to date\n"
    assert command.run("sweep-points") == "0 entries written, 0 accounts are up to date\n"


def test_levels_are_evaluated(command: CommandLine) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)

    async def a_level_of_long_ago() -> None:
        await three_levels()
        [member] = await joined("a")
        await bought(member, 1_000, at=long_ago)

    command.ask(a_level_of_long_ago)
    assert command.run("evaluate-levels") == "1 members evaluated, 1 changed\n"
    assert command.run("evaluate-levels") == "0 members evaluated, 0 changed\n"
    assert command.run("evaluate-levels", "--all") == "1 members evaluated, 0 changed\n"
    assert command.run("evaluate-levels", "--all") == "1 members evaluated, 0 changed\n"


ACTS = {
    *("add-client", "add-staff", "set-grants", "issue-token", "revoke-tokens"),
    *("disable-account", "enable-account", "create-keys", "rotate-keys", "rotate-phone-keys"),
    *("import-members", "export-members", "bind-sandbox-member"),
    *("import-products", "import-purchases", "outbox replay", "unfreeze-account", "erase-again"),
    *("publish-consents", "add-partner", "change-partner", "add-partner-key", "retire-partner-key"),
    *("import-programme", "reconcile-games", "webhooks enable", "webhooks replay"),
}
"""Commands by which somebody decides something: each is told to the log."""

NO_ACTS = {
    *("run", "serve", "work", "fake-wechat", "migrate", "refresh-recommendations"),
    *("sweep-points", "audit-ledger", "evaluate-levels", "watch-deadlines"),
    *(
        "list-clients",
        "list-staff",
        "list-partners",
        "verify-audit",
        *("outbox status", "outbox parked", "webhooks list"),
        "export-programme",
    ),
    *("recommendations train", "recommendations status", "recommendations report"),
    *("print-schema", "print-errors", "print-access"),
}
"""Commands that serve, or show, or do what a schedule or an upgrade does anyway."""


def test_every_command_is_known_to_be_an_act_or_none() -> None:
    assert ACTS.isdisjoint(NO_ACTS)
    assert set(command_names(get_command(app))) == ACTS | NO_ACTS


def command_names(group: Any, prefix: str = "") -> Iterator[str]:
    for name, found in group.commands.items():
        if hasattr(found, "commands"):
            yield from command_names(found, f"{name} ")
        else:
            yield prefix + name
