"""Mails on their way to a real mail server, which may refuse, fail, hang up, or not be there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.errors import EmailRefused, EmailUnavailable, InvalidInput
from domain.mailing import Mail, SmtpMails, clean_email, mask_email
from tests.domain.mailing.post_office import DROP, PostOffice, open_post_office, text_of

MAIL = Mail(
    reference="0197-1",
    to="wang.wu@example.com",
    subject="您的订单\n已发货",
    text="您的订单 A-1 已发货。\n.\n第二行\n",
    at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    unsubscribe_url="https://jifen.example/unsubscribe/abc",
)


@pytest.fixture(scope="module")
def _office() -> Iterator[PostOffice]:
    with open_post_office() as office:
        yield office


@pytest.fixture
def office(_office: PostOffice) -> PostOffice:
    _office.reset()
    return _office


async def test_a_mail_arrives_as_it_was_written(office: PostOffice) -> None:
    await SmtpMails(office.server).send(MAIL)
    [mail] = office.taken
    assert text_of(mail).splitlines() == ["您的订单 A-1 已发货。", ".", "第二行"]
    assert {name: str(mail[name]) for name in mail if not name.startswith(("MIME", "Content"))} == {
        "From": "积分 Jifen <service@jifen.example>",
        "To": "wang.wu@example.com",
        "Subject": "您的订单 已发货",
        "Date": "Sun, 01 Mar 2026 12:00:00 +0000",
        "Message-ID": "<0197-1@jifen.example>",
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": "<https://jifen.example/unsubscribe/abc>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


async def test_mail_programs_can_read_where_mails_are_ended(office: PostOffice) -> None:
    """Over the line as it stands, however long: what is folded or encoded they do not follow."""
    token = "Ab_-" * 13 + "9Q"
    url = f"https://members.shop-of-the-merchant.example.com/unsubscribe/{token}"
    subject = "您的订单已发货" * 20
    await SmtpMails(office.server).send(replace(MAIL, subject=subject, unsubscribe_url=url))
    lines = office.lines[0].split(b"\r\n")
    assert f"List-Unsubscribe: <{url}>".encode() in lines
    # Nothing else is made longer by that.
    assert {line for line in lines if len(line) > 78} == {f"List-Unsubscribe: <{url}>".encode()}
    assert str(office.taken[0]["Subject"]) == subject


async def test_who_has_no_list_to_leave_is_told_of_none(office: PostOffice) -> None:
    await SmtpMails(office.server).send(replace(MAIL, unsubscribe_url=None))
    assert not [name for name in office.taken[0] if name.startswith("List-")]


@pytest.mark.parametrize("answer", ["550 5.1.1 nobody of this name", "553 5.1.3 no address"])
async def test_an_address_that_is_not_taken_is_refused_for_good(
    office: PostOffice, answer: str
) -> None:
    office.refusals.append(answer)
    with pytest.raises(EmailRefused) as refused:
        await SmtpMails(office.server).send(MAIL)
    assert refused.value.status == int(answer[:3])
    assert office.taken == []


@pytest.mark.parametrize(
    ("at", "answer"),
    [
        ("unwelcome", "550 5.7.1 your account is suspended"),
        ("unwelcome", "530 5.7.0 log in first"),
        ("refusals", "530 5.7.0 log in first"),
    ],
)
async def test_a_refusal_of_ours_says_nothing_of_the_mail(
    office: PostOffice, at: str, answer: str
) -> None:
    getattr(office, at).append(answer)
    mails = SmtpMails(office.server)
    with pytest.raises(EmailUnavailable) as failed:
        await mails.send(MAIL)
    assert failed.value.perhaps_sent is False
    assert office.taken == []
    await mails.send(MAIL)
    assert len(office.taken) == 1


@pytest.mark.parametrize("at", ["refusals", "ends"])
async def test_what_is_refused_for_now_was_surely_not_sent(office: PostOffice, at: str) -> None:
    getattr(office, at).append("451 4.3.0 try again later")
    with pytest.raises(EmailUnavailable) as failed:
        await SmtpMails(office.server).send(MAIL)
    assert failed.value.perhaps_sent is False
    assert office.taken == []


async def test_an_answer_that_is_lost_leaves_a_mail_that_was_perhaps_sent(
    office: PostOffice,
) -> None:
    office.ends.append(DROP)
    mails = SmtpMails(office.server)
    with pytest.raises(EmailUnavailable) as failed:
        await mails.send(MAIL)
    assert failed.value.perhaps_sent is True
    # Sent again, it is the same mail: two came, and one is seen.
    await mails.send(MAIL)
    assert (len(office.taken), len(office.mails)) == (2, 1)


async def test_where_no_server_is_nothing_was_sent(office: PostOffice) -> None:
    office.close()
    try:
        with pytest.raises(EmailUnavailable) as failed:
            await SmtpMails(office.server).send(MAIL)
        assert failed.value.perhaps_sent is False
    finally:
        office.open()
    await SmtpMails(office.server).send(MAIL)
    assert len(office.taken) == 1


async def test_a_server_without_tls_gets_nothing_where_tls_is_asked_for(office: PostOffice) -> None:
    with pytest.raises(EmailUnavailable) as failed:
        await SmtpMails(replace(office.server, security="starttls")).send(MAIL)
    assert failed.value.perhaps_sent is False
    assert office.taken == []


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("wang@example.com", "wang@example.com"),
        (" Wang.Wu+jifen@Example.COM ", "Wang.Wu+jifen@example.com"),
        ("a@xn--fiq228c.xn--fiqs8s", "a@xn--fiq228c.xn--fiqs8s"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_addresses_are_taken_as_people_write_them(written: str, address: str) -> None:
    assert clean_email(written) == address


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            "wang",
            "wang@",
            "@example.com",
            "wang@example",
            "wang@example.123",
            "a b@example.com",
        ),
        *("wang@@example.com", ".wang@example.com", "wang.@example.com", "a..b@example.com"),
        *('"a b"@example.com', "wang@[127.0.0.1]", "wang@-a.com", "wang@example.com\nBcc: x@y.com"),
        *("王@example.com", "wang@例子.中国", "a" * 65 + "@example.com", "a@" + "b." * 130 + "com"),
        *("<wang@example.com>", "wang@example.com,li@example.com", "wang@example.com\x00"),
    ],
)
def test_what_nobody_can_be_reached_by_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        clean_email(written)
    assert refused.value.field == ("email",)


def test_of_an_address_its_owner_is_shown_enough() -> None:
    assert mask_email("wang.wu@example.com") == "w***@example.com"
