"""E-mail addresses of members: proved by a code, sealed, theirs whatever becomes of records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain.errors import (
    EmailCodeInvalid,
    EmailCodeTooSoon,
    EmailRefused,
    EmailUnavailable,
    InvalidInput,
)
from domain.mailing import SmtpMails
from domain.members import (
    ConfirmEmail,
    SetEmail,
    all_emails_of,
    confirm_email,
    email_masked,
    emails_of,
    forget_email_codes,
    forget_email_codes_of,
    remove_email,
    set_email,
)
from domain.storage import execute, fetch_all
from tests.domain.access.fixtures import NOW
from tests.domain.mailing.post_office import DROP, PostOffice, open_post_office, text_of
from tests.domain.members.fixtures import announced
from tests.domain.members.test_phones import a_member

pytestmark = pytest.mark.usefixtures("database")

EMAIL = "wang.wu@example.com"


@pytest.fixture(scope="module")
def _office() -> Iterator[PostOffice]:
    with open_post_office() as office:
        yield office


@pytest.fixture
def office(_office: PostOffice) -> PostOffice:
    _office.reset()
    return _office


async def ask(
    office: PostOffice, member_id: UUID, email: str = EMAIL, *, now: datetime = NOW
) -> str:
    """The code that arrives."""
    command = SetEmail(member_id=member_id, email=email, language="en")
    again = await set_email(command, mails=SmtpMails(office.server), now=now)
    assert again == timedelta(seconds=60)
    return office.code(email)


async def confirm(member_id: UUID, code: str, email: str = EMAIL, *, now: datetime = NOW) -> UUID:
    return await confirm_email(ConfirmEmail(member_id=member_id, email=email, code=code), now=now)


async def has_email(office: PostOffice, member_id: UUID, email: str, *, now: datetime) -> None:
    """Let the member have the address."""
    await confirm(member_id, await ask(office, member_id, email, now=now), email, now=now)


async def test_an_address_is_the_members_once_it_is_confirmed(office: PostOffice) -> None:
    member = await a_member("A-1")
    code = await ask(office, member)
    assert await emails_of([member]) == {}
    assert text_of(office.to(EMAIL)[0]).splitlines()[0] == (
        f"Your code is {code}. It is good for 30 minutes; tell it to nobody."
    )
    assert await confirm(member, code) == member
    assert await emails_of([member]) == {member: EMAIL}
    assert await email_masked(member) == "w***@example.com"
    with pytest.raises(EmailCodeInvalid):
        await confirm(member, code)


async def test_the_database_tells_no_address_and_no_code(office: PostOffice) -> None:
    member = await a_member("A-1")
    code = await ask(office, member)
    rows = [dict(row) for row in await fetch_all("SELECT * FROM email_code")]
    await confirm(member, code)
    rows += [dict(row) for row in await fetch_all("SELECT * FROM member_email")]
    assert len(rows) == 2
    told = str([row | {"sealed": bytes(row.get("sealed") or b"")} for row in rows])
    assert "wang" not in told
    assert "example" not in told
    assert code not in str([row["digest"] for row in rows if "digest" in row])


async def test_a_code_is_good_for_who_asked_for_it_alone(office: PostOffice) -> None:
    asked, other = await a_member("A-1"), await a_member("A-2")
    code = await ask(office, asked)
    with pytest.raises(EmailCodeInvalid):
        await confirm(other, code)
    with pytest.raises(EmailCodeInvalid):
        await confirm(asked, code, "li@example.com")
    assert await emails_of([asked, other]) == {}
    await confirm(asked, code, EMAIL.upper())
    assert await emails_of([asked, other]) == {asked: "WANG.WU@example.com"}


async def test_a_code_is_good_for_half_an_hour_and_five_tries(office: PostOffice) -> None:
    member = await a_member("A-1")
    code = await ask(office, member)
    with pytest.raises(EmailCodeInvalid):
        await confirm(member, code, now=NOW + timedelta(minutes=30))
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    for _ in range(5):
        with pytest.raises(EmailCodeInvalid):
            await confirm(member, wrong)
    with pytest.raises(EmailCodeInvalid):
        await confirm(member, code)
    assert await emails_of([member]) == {}


async def test_an_address_gets_one_in_a_minute_whoever_asks(office: PostOffice) -> None:
    member, other = await a_member("A-1"), await a_member("A-2")
    await ask(office, member)
    for one in (member, other):
        with pytest.raises(EmailCodeTooSoon) as refused:
            await ask(office, one, now=NOW + timedelta(seconds=59))
        assert refused.value.retry_at == NOW + timedelta(minutes=1)
    assert len(office.taken) == 1
    for minute in range(1, 10):
        await ask(office, member, now=NOW + timedelta(minutes=minute))
    with pytest.raises(EmailCodeTooSoon) as refused:
        await ask(office, member, now=NOW + timedelta(minutes=30))
    assert refused.value.retry_at == NOW + timedelta(days=1)
    assert len(office.taken) == 10


async def test_a_member_has_ten_sent_in_a_day_to_whatever_addresses(office: PostOffice) -> None:
    member, other = await a_member("A-1"), await a_member("A-2")
    for number in range(9):
        await ask(office, member, f"a{number}@example.com", now=NOW + timedelta(minutes=number))
    # What surely went nowhere does not count, an address that there is not does.
    office.refusals.append("451 later")
    with pytest.raises(EmailUnavailable):
        await ask(office, member, "a9@example.com")
    office.refusals.append("550 nobody")
    with pytest.raises(EmailRefused):
        await ask(office, member, "a9@example.com")
    before = await fetch_all("SELECT * FROM email_code ORDER BY email_index")
    with pytest.raises(EmailCodeTooSoon) as refused:
        await ask(office, member, "b@example.com", now=NOW + timedelta(hours=23))
    assert refused.value.retry_at == NOW + timedelta(days=1)
    assert await fetch_all("SELECT * FROM email_code ORDER BY email_index") == before
    await ask(office, other, "b@example.com")
    await ask(office, member, "b@example.com", now=NOW + timedelta(days=1))
    assert len(office.taken) == 11
    # Who is forgotten leaves no count, and nobody does after a day.
    await forget_email_codes_of([member])
    assert len(await fetch_all("SELECT * FROM email_code_asker")) == 1
    await forget_email_codes(now=NOW + timedelta(days=3))
    assert await fetch_all("SELECT * FROM email_code_asker") == []


async def test_what_was_surely_not_sent_does_not_count(office: PostOffice) -> None:
    member = await a_member("A-1")
    first = await ask(office, member)
    later = NOW + timedelta(minutes=1)
    office.refusals.append("451 later")
    with pytest.raises(EmailUnavailable):
        await ask(office, member, now=later)
    office.refusals.append("550 nobody")
    with pytest.raises(EmailRefused) as refused:
        await ask(office, member, now=later)
    assert refused.value.field == ("email",)
    await confirm(member, first, now=later)
    office.ends.append(DROP)
    with pytest.raises(EmailUnavailable):
        await ask(office, member, "li@example.com", now=later)
    # That one was perhaps sent: it counts, and cannot be tried.
    with pytest.raises(EmailCodeTooSoon):
        await ask(office, member, "li@example.com", now=later)
    with pytest.raises(EmailCodeInvalid):
        await confirm(member, office.code("li@example.com"), "li@example.com", now=later)


async def test_a_new_address_replaces_the_old_one_and_none_takes_it_away(
    office: PostOffice,
) -> None:
    member = await a_member("A-1")
    await has_email(office, member, EMAIL, now=NOW)
    later = NOW + timedelta(hours=1)
    await has_email(office, member, "li@example.com", now=later)
    assert await emails_of([member]) == {member: "li@example.com"}
    assert await remove_email(member, now=later) == member
    assert await emails_of([member]) == {}
    assert await all_emails_of([member]) == []
    told = [facts for kind, facts in await announced() if kind == "EmailSet"]
    assert told == [{"removed": False}, {"removed": False}, {"removed": True}]
    await remove_email(member, now=later)
    assert [kind for kind, _ in await announced()].count("EmailSet") == 3


async def test_a_joined_records_address_counts_where_the_members_own_says_nothing(
    office: PostOffice,
) -> None:
    keeper, first, second = [await a_member(f"A-{one}") for one in range(3)]
    await has_email(office, first, EMAIL, now=NOW)
    await has_email(office, second, "li@example.com", now=NOW + timedelta(hours=1))
    await execute("UPDATE member SET merged_into = $1 WHERE id = $2", keeper, first)
    await execute("UPDATE member SET merged_into = $1 WHERE id = $2", first, second)
    assert await emails_of([keeper]) == {keeper: "li@example.com"}
    assert await all_emails_of([keeper, first, second]) == [EMAIL, "li@example.com"]
    # Saying that there is none is said of oneself: two who are parted have each their own again.
    await remove_email(keeper, now=NOW + timedelta(hours=2))
    assert await emails_of([keeper]) == {}
    assert await emails_of([first]) == {first: EMAIL}


async def test_a_damaged_row_is_no_address(office: PostOffice) -> None:
    member, other = await a_member("A-1"), await a_member("A-2")
    await has_email(office, member, EMAIL, now=NOW)
    await has_email(office, other, "li@example.com", now=NOW)
    rows = await fetch_all("SELECT sealed FROM member_email WHERE member_id = $1", other)
    # Sealed for another record, it opens for none.
    await execute(
        "UPDATE member_email SET sealed = $2 WHERE member_id = $1", member, rows[0]["sealed"]
    )
    assert await emails_of([member, other]) == {other: "li@example.com"}


async def test_codes_are_forgotten_with_their_day_or_their_member(office: PostOffice) -> None:
    member = await a_member("A-1")
    await has_email(office, member, EMAIL, now=NOW)
    await ask(office, member, "li@example.com")
    await forget_email_codes_of([member])
    assert len(await fetch_all("SELECT 1 AS one FROM email_code")) == 1
    assert await forget_email_codes(now=NOW + timedelta(days=1)) == 0
    assert await forget_email_codes(now=NOW + timedelta(days=1, seconds=1)) == 1


async def test_what_is_no_address_is_sent_nothing(office: PostOffice) -> None:
    member = await a_member("A-1")
    with pytest.raises(InvalidInput):
        await ask(office, member, "wang@example.com\r\nBcc: li@example.com")
    assert office.taken == []
