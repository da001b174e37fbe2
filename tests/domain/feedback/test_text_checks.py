"""Texts are held until WeChat was asked, however it fails; each gets one verdict."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain import feedback
from domain.custody import MergeBecause, merge
from domain.errors import MessageNotHeld
from domain.feedback import ReviewDecision, ReviewMessage, TextChecking
from domain.feedback.text_checks import checking, pieces_of, queue
from domain.paging import PageRequest
from domain.storage import dialect, execute, fetch_all, transaction
from tests.domain.feedback.asking import Asking
from tests.domain.feedback.desk import MONDAY, open_desk, saying
from tests.domain.rewards.counter import CLERK
from tests.graphql.kept import changed, everything_kept

PAGE = PageRequest(first=100)


def review(message_id: UUID, decision: str) -> ReviewMessage:
    return ReviewMessage(message_id=message_id, decision=ReviewDecision(decision))


async def held(asking: Asking) -> list[UUID]:
    page = await feedback.held_messages(PAGE, by=CLERK, now=asking.moment())
    return [one.id for one in page.items]


@pytest.mark.parametrize("length", [1, 2_499, 2_500, 2_501, 4_900, 4_901, 9_999, 10_000])
def test_pieces_make_up_the_text(length: int) -> None:
    text = "".join(chr(0x4E00 + place) for place in range(length))
    pieces = pieces_of(text)
    assert all(1 <= len(piece) <= 2_500 for piece in pieces)
    assert pieces[0] + "".join(piece[100:] for piece in pieces[1:]) == text
    assert len(pieces) == 1 + max(0, -(-(length - 2_500) // 2_400))
    for before, after in pairwise(pieces):
        assert before[-100:] == after[:100]


async def test_each_verdict_has_its_place(asking: Asking) -> None:
    await open_desk()
    alice = await asking.sign_in("o-alice")
    clear = await asking.write(alice, "The cup is broken.")
    risky = await asking.write(alice, "The cup is [risky].")
    doubtful = await asking.write(alice, "The cup is [review].")
    assert await asking.checks() == {"WAITING": 3}
    assert await held(asking) == [clear, risky, doubtful]
    assert (await asking.turn()).settled == 3
    assert [await asking.check_of(one) for one in (clear, risky, doubtful)] == [
        "CLEAR",
        "RISKY",
        "REVIEW",
    ]
    assert await held(asking) == [risky, doubtful]
    row = await asking.row_of(risky)
    assert (row["verdict"], row["label"], row["attempts"], row["next_at"]) == (
        "RISKY",
        20003,
        1,
        None,
    )
    assert len(row["trace_id"]) == 26
    assert (await asking.turn()).settled == 0


async def test_who_wechat_does_not_know_is_not_checked(asking: Asking) -> None:
    [stranger] = await open_desk("stranger")
    no_openid = await asking.write(stranger, "I have no mini-program.")
    assert await asking.check_of(no_openid) == "NOT_CHECKED"
    assert await fetch_all("SELECT message_id FROM text_check") == []
    alice = await asking.sign_in("o-alice")
    gone = await asking.write(alice, "I went away.")
    asking.fake.state.people.__init__(clock=asking.fake.state.clock)  # type: ignore[misc]
    assert (await asking.turn()).settled == 1
    assert await asking.check_of(gone) == "REVIEW"
    bob = await asking.sign_in("o-bob")
    late = await asking.write(bob, "I closed it hours ago.")
    await asking.breaks(errcode=61010)
    assert (await asking.turn()).settled == 1
    assert await asking.check_of(late) == "REVIEW"
    assert asking.opinions == {}
    # So nobody gets around the check by waiting until it does not know them: staff decides.
    assert await held(asking) == [gone, late]
    assert (await asking.row_of(late))["verdict"] == "NOT_CHECKED"
    released = await feedback.review_message(review(late, "RELEASE"), by=CLERK, now=MONDAY)
    assert (released.check, released.verdict) == ("CLEAR", "NOT_CHECKED")


async def test_a_long_text_is_asked_about_in_pieces_and_goes_on_where_it_was(
    asking: Asking,
) -> None:
    await open_desk()
    alice = await asking.sign_in("o-alice")
    # The word lies across the end of the second piece, and whole in the third.
    text = ("a" * 4_896 + "[risky]").ljust(10_000, "b")
    long = await asking.write(alice, text)
    # The third question fails.
    ask = asking.wechat.check_text
    asked: list[str] = []

    class Failing:
        async def check_text(self, app_id: str, **question: Any) -> Any:
            asked.append(question["content"])
            if len(asked) == 3:
                raise OSError("nobody thought of this")
            return await ask(app_id, **question)

    checking = TextChecking(wechat=Failing(), clock=asking.moment, jitter=lambda: 0.0)
    turn = await feedback.check_texts(checking)
    assert (turn.settled, turn.put_off) == (0, 1)
    row = await asking.row_of(long)
    assert (row["pieces_done"], row["found"], row["attempts"]) == (2, "CLEAR", 1)
    assert row["next_at"] == MONDAY + timedelta(seconds=10)
    assert (await asking.turn()).settled == 0
    asking.moment.advance(seconds=10)
    assert (await asking.turn()).settled == 1
    assert await asking.check_of(long) == "RISKY"
    pieces = pieces_of(text)
    assert asked == list(pieces[:3])
    # What follows the risky piece is asked about no more.
    assert asking.opinions == Counter(pieces[:3])


async def test_a_text_is_asked_about_as_of_whom_it_is_by_now(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records are joined after the claim: WeChat knows the other one now."""
    [keeper] = await open_desk("keeper")
    alice = await asking.sign_in("o-alice")
    message = await asking.write(alice, "The cup is [risky].")

    async def claimed(**given: Any) -> Any:
        found = await queue.claim(**given)
        if found:
            join = partial(merge, keeper, alice, because=MergeBecause.STAFF, by="staff:clerk")
            await transaction(partial(join, now=asking.moment()))
        return found

    monkeypatch.setattr(checking, "claim", claimed)
    assert (await asking.turn()).settled == 1
    assert await asking.check_of(message) == "RISKY"


async def test_the_label_is_that_of_the_piece_that_told(asking: Asking) -> None:
    """The first of three pieces is doubtful; the second is not answered at first."""
    await open_desk()
    alice = await asking.sign_in("o-alice")
    long = await asking.write(alice, "[review]".ljust(6_000, "a"))
    ask = asking.wechat.check_text
    traces: list[str] = []

    class Failing:
        async def check_text(self, app_id: str, **question: Any) -> Any:
            if len(traces) == 1:
                traces.append("none")
                raise OSError("nobody thought of this")
            verdict = await ask(app_id, **question)
            traces.append(verdict.trace_id or "")
            return verdict

    checking = TextChecking(wechat=Failing(), clock=asking.moment, jitter=lambda: 0.0)
    await feedback.check_texts(checking)
    assert (await asking.row_of(long))["found"] == "REVIEW"
    asking.moment.advance(seconds=10)
    await feedback.check_texts(checking)
    row = await asking.row_of(long)
    assert (row["verdict"], row["label"], row["trace_id"]) == ("REVIEW", 10001, traces[0])
    assert len(set(traces)) == 4


async def test_pauses_grow_and_nothing_is_lost(asking: Asking) -> None:
    await open_desk()
    alice = await asking.sign_in("o-alice")
    message = await asking.write(alice, "Where is it?")
    await asking.breaks(status=500)
    pauses = []
    for _ in range(9):
        assert (await asking.turn()).put_off == 1
        until = (await asking.row_of(message))["next_at"]
        pauses.append((until - asking.moment()).total_seconds())
        asking.moment.now = until
    assert pauses == [10, 20, 40, 80, 160, 320, 600, 600, 600]
    assert await asking.check_of(message) == "WAITING"
    asking.mend()
    assert (await asking.turn()).settled == 1
    assert (await asking.row_of(message))["attempts"] == 10
    assert asking.opinions == {"Where is it?": 1}


async def test_a_turn_ends_with_the_first_failure(asking: Asking) -> None:
    await open_desk()
    alice = await asking.sign_in("o-alice")
    for number in range(10):
        await asking.write(alice, f"text {number}")
    await asking.breaks(status=503)
    turn = await asking.turn(at_once=4)
    assert (turn.settled, turn.put_off) == (0, 4)
    assert (await asking.phone.calls())["msg_sec_check"] == 4


async def test_what_a_dead_worker_claimed_is_due_again_and_its_late_verdict_counts_not(
    asking: Asking,
) -> None:
    await open_desk()
    alice = await asking.sign_in("o-alice")
    message = await asking.write(alice, "Is [risky] meant?")
    [claimed] = await queue.claim(now=asking.moment(), count=8)
    assert await queue.claim(now=asking.moment(), count=8) == []
    asking.moment.advance(seconds=119)
    assert (await asking.turn()).settled == 0
    asking.moment.advance(seconds=1)
    assert (await asking.turn()).settled == 1
    assert await asking.check_of(message) == "RISKY"
    late = queue.Opinion(check=feedback.TextCheck.CLEAR)
    before = await everything_kept()
    assert not await queue.settle(claimed, late, now=asking.moment())
    await queue.put_off(claimed, until=asking.moment(), pieces_done=0, found=late)
    assert await everything_kept() == before


async def test_staff_releases_and_refuses_what_is_held(asking: Asking) -> None:
    await open_desk()
    alice = await asking.sign_in("o-alice")
    clear, risky, doubtful, waiting = [
        await asking.write(alice, text)
        for text in ("fine", "so [risky]", "so [review]", "not asked yet")
    ]
    later = asking.moment() + timedelta(hours=1)
    await execute("UPDATE text_check SET next_at = $2 WHERE message_id = $1", waiting, later)
    assert (await asking.turn()).settled == 3
    released = await feedback.review_message(review(risky, "RELEASE"), by=CLERK, now=MONDAY)
    assert (released.check, released.verdict, released.text) == ("CLEAR", "RISKY", "so [risky]")
    refused = await feedback.review_message(review(doubtful, "REFUSE"), by=CLERK, now=MONDAY)
    assert (refused.check, refused.verdict) == ("REFUSED", "REVIEW")
    # Whoever is still to be asked about need not be waited for.
    [claimed] = await queue.claim(now=later, count=8)
    await feedback.review_message(review(waiting, "RELEASE"), by=CLERK, now=MONDAY)
    assert not await queue.settle(
        claimed, queue.Opinion(check=feedback.TextCheck.RISKY), now=asking.moment()
    )
    assert await asking.check_of(waiting) == "CLEAR"
    assert await held(asking) == []
    # The same again changes nothing but the audit log; what is decided or clear stays.
    before = await everything_kept()
    await feedback.review_message(review(risky, "RELEASE"), by=CLERK, now=MONDAY)
    assert changed(before, await everything_kept()) == {"audit_entry", "audit_head"}
    before = await everything_kept()
    for message_id, decision in (
        (risky, "REFUSE"),
        (doubtful, "RELEASE"),
        (clear, "REFUSE"),
        (uuid4(), "RELEASE"),
    ):
        with pytest.raises(MessageNotHeld):
            await feedback.review_message(review(message_id, decision), by=CLERK, now=MONDAY)
    assert await everything_kept() == before


FAULTS: tuple[dict[str, Any], ...] = (
    {"slow": 0.02},
    {"slow": 5},
    {"status": 500},
    {"garbage": True},
    {"errcode": -1},
    {"errcode": 45009},
    {"drop": True},
)


@pytest.mark.soak
async def test_none_is_lost_and_each_is_checked_once(
    asking: Asking, full_form: bool, tally: Callable[[str, int, int], None]
) -> None:
    """Tickets are filed while WeChat's check is slow, failing and back."""
    await open_desk()
    count, people = (1_000, 50) if full_form else (42, 3)
    writers = [await asking.sign_in(f"o-{number}") for number in range(people)]
    texts = [f"{number}: {_word(number)}" for number in range(count)]
    portion = count // len(FAULTS) + 1
    filed, failures = 0, 0
    for phase, fault in enumerate(FAULTS):
        await asking.breaks(**fault)
        some = texts[phase * portion : (phase + 1) * portion]
        for text in some:
            number = int(text.partition(":")[0])
            await feedback.submit_feedback(
                saying(writers[number % people], text, text=text), now=asking.moment()
            )
        filed += len(some)
        # Two workers ask at once, as two processes would.
        turns = await asyncio.gather(asking.turn(), asking.turn())
        failures += sum(turn.put_off for turn in turns)
        asking.mend()
        if phase % 2:
            turns = await asyncio.gather(asking.turn(), asking.turn())
        asking.moment.advance(seconds=15)
    assert filed == count
    while (await asking.checks())["WAITING"]:
        turns = await asyncio.gather(asking.turn(), asking.turn())
        assert all(turn.put_off == 0 for turn in turns)
        asking.moment.advance(minutes=10)
    assert await asking.checks() == Counter(_CHECKED[_word(number)] for number in range(count))
    assert asking.opinions == Counter(texts)
    rows = await fetch_all("SELECT verdict, COUNT(*) AS texts FROM text_check GROUP BY verdict")
    assert {row["verdict"]: row["texts"] for row in rows} == await asking.checks()
    events = await fetch_all("SELECT seq FROM outbox WHERE kind = 'TicketTextChecked'")
    assert len(events) == count
    tally(f"texts that waited for WeChat, each checked once, on {dialect()}", count, 42)
    tally(f"questions to WeChat that failed, on {dialect()}", failures, 30 if full_form else 10)


_CHECKED = {"fine": "CLEAR", "[risky]": "RISKY", "[review]": "REVIEW"}


def _word(number: int) -> str:
    return "[risky]" if number % 10 == 3 else "[review]" if number % 15 == 4 else "fine"
