"""Webhooks: what happened is told, signed, until it is taken; each failure has its outcome."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import format_datetime
from typing import Any, Self
from uuid import UUID, uuid4

import orjson
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from domain import audit, games
from domain.access import KeyRing
from domain.errors import InvalidInput, PartnerUnknown
from domain.games import ChangePartner, WebhookClient, WebhookState
from domain.games.webhooks.deliveries import Attempt, claim, record
from domain.games.webhooks.sending import Answer
from domain.paging import PageRequest
from domain.storage import fetch_all
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import CLERK
from tests.domain.games.hooked import IN_DEVELOPMENT, Hooked, open_hooked
from tests.domain.games.webhook_receiver import HANG, Hook, running_hook

pytestmark = pytest.mark.usefixtures("database")
key_path = access.key_path
ring = access.ring

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what needs no statement of its own."""


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class StandingDatetime(datetime):
    """The time of these tests, for a library that asks for it by itself."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(NOW.timestamp(), tz)


@pytest.fixture(autouse=True)
def standing_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("standardwebhooks.webhooks.datetime", StandingDatetime)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with running_hook() as running:
        yield running


@pytest.fixture
async def hooked(ring: KeyRing, hook: Hook, database: str) -> Hooked:
    return await open_hooked(ring, hook.url, now=NOW)


async def test_a_webhook_is_signed_by_both_secrets_and_by_our_key(
    hooked: Hooked, hook: Hook, ring: KeyRing
) -> None:
    await hooked.tell("gm_alice")
    turn = await hooked.turn()
    assert turn is not None
    assert (turn.delivered, turn.failed) == (1, 0)
    [told] = hook.told
    one = await hooked.only()
    assert told.body == one.payload.encode()
    assert one.payload == (
        '{"type":"member.unbound","timestamp":"' + f"{NOW:%Y-%m-%dT%H:%M:%S}Z" + '",'
        '"data":{"memberRefs":["gm_alice"]}}'
    )
    assert told.headers["content-type"] == "application/json"
    assert told.message_id == f"msg_{one.id}"
    for secret in hooked.secrets:
        said = Webhook(secret).verify(told.body, dict(told.headers))
        assert said["data"] == {"memberRefs": ["gm_alice"]}
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(told.body + b" ", dict(told.headers))
    signed = f"{told.message_id}.{told.headers['webhook-timestamp']}.".encode() + told.body
    versions = dict(part.split(",") for part in told.headers["webhook-signature"].split())
    assert list(versions) == ["v1", "v1a"]
    key = ring.verifying_key(told.headers["jifen-key-id"], now=NOW)
    assert key is not None
    key.verify(base64.b64decode(versions["v1a"]), signed)

    assert (one.state, one.attempts, one.last_status, one.last_error) == ("DELIVERED", 1, 204, None)
    assert (one.next_at, one.delivered_at) == (None, NOW)
    assert await hooked.turn() is None


@ONE_DATABASE
async def test_a_retired_secret_signs_no_more(hooked: Hooked, hook: Hook) -> None:
    keys = await games.keys_of(hooked.id)
    await games.retire_partner_key(hooked.partner.code, keys[0].id, by=CLERK, now=NOW)
    await hooked.tell("gm_alice")
    await hooked.turn()
    [told] = hook.told
    Webhook(hooked.secrets[1]).verify(told.body, dict(told.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(hooked.secrets[0]).verify(told.body, dict(told.headers))


LATER = format_datetime(NOW + timedelta(minutes=10), usegmt=True)

# What the endpoint answers: then the status, the error, and the seconds until the next attempt.
FAILURES: dict[str, tuple[int, dict[str, str], int | None, str, int]] = {
    "500": (500, {}, 500, "status", 5),
    "400": (400, {}, 400, "status", 5),
    "a redirect": (302, {"location": "http://127.0.0.1:1/elsewhere"}, 302, "redirect", 5),
    "slow": (HANG, {}, None, "timeout", 5),
    "503 with a longer pause": (503, {"retry-after": "90"}, 503, "status", 90),
    "429 with a shorter pause": (429, {"retry-after": "1"}, 429, "status", 5),
    "429 with a date": (429, {"retry-after": LATER}, 429, "status", 600),
    "a pause of a year": (503, {"retry-after": "31536000"}, 503, "status", 86_400),
}


async def test_what_is_not_taken_comes_again_under_the_same_id(hooked: Hooked, hook: Hook) -> None:
    for name in FAILURES:
        hook.told.clear()
        await _fails_and_comes_again(hooked, hook, name)
        hooked.clock.moment = NOW


async def _fails_and_comes_again(hooked: Hooked, hook: Hook, name: str) -> None:
    status, headers, told_status, error, pause = FAILURES[name]
    hook.will_answer(status, headers)
    await hooked.tell(name)
    turn = await hooked.turn()
    assert turn is not None
    assert (turn.delivered, turn.failed) == (0, 1), name
    one = (await hooked.deliveries())[-1]
    assert (one.state, one.attempts) == (WebhookState.PENDING, 1), name
    assert (one.last_status, one.last_error) == (told_status, error), name
    assert one.next_at == NOW + timedelta(seconds=pause), name

    hooked.clock.moment = one.next_at - timedelta(microseconds=1)
    assert await hooked.turn() is None, name
    hooked.clock.moment = one.next_at
    assert await hooked.turn() is not None
    assert hook.ids == [one.message_id] * 2, name
    assert hook.told[0].body == hook.told[1].body
    assert (await hooked.deliveries())[-1].state is WebhookState.DELIVERED


@ONE_DATABASE
@pytest.mark.parametrize("header", [{}, {"retry-after": "Mon, 01 Jan 2026 99999999999:00:00 GMT"}])
async def test_an_attempt_is_counted_whatever_breaks_it(
    ring: KeyRing, hook: Hook, header: dict[str, str]
) -> None:
    """By its answer, or, without one, by what nobody thought of."""
    client = WebhookClient(IN_DEVELOPMENT) if header else Breaks(IN_DEVELOPMENT)
    hooked = await open_hooked(ring, hook.url, now=NOW, client=client)
    hook.will_answer(503, header)
    await hooked.tell("gm_alice")
    turn = await hooked.turn()
    assert turn is not None
    assert (turn.delivered, turn.failed) == (0, 1)
    one = await hooked.only()
    told = (503, "status") if header else (None, "protocol")
    assert (one.last_status, one.last_error) == told
    assert (one.attempts, one.next_at) == (1, NOW + timedelta(seconds=5))


class Breaks(WebhookClient):
    """Raises what no client should."""

    async def post(self, *given: Any, **more: Any) -> Answer:
        raise RuntimeError


@ONE_DATABASE
async def test_who_is_down_gets_everything_when_back(ring: KeyRing) -> None:
    with running_hook() as gone:
        port = gone.port
    hooked = await open_hooked(ring, f"http://127.0.0.1:{port}/hook", now=NOW)
    await hooked.tell("a", "b", "c")
    assert await hooked.turn() is not None
    assert {one.last_error for one in await hooked.deliveries()} == {"connect"}
    hooked.clock.advance(seconds=5)
    with running_hook(port=port) as back:
        turn = await hooked.turn()
        assert turn is not None
        assert turn.delivered == 3
        assert sorted(back.ids) == sorted(one.message_id for one in await hooked.deliveries())


async def test_after_the_last_attempt_it_has_failed_until_it_is_replayed(
    hooked: Hooked, hook: Hook
) -> None:
    hook.usual = 500
    await hooked.tell("gm_alice")
    waits: list[float] = []
    while (one := await hooked.only()).state is WebhookState.PENDING:
        assert one.next_at is not None
        waits.append((one.next_at - hooked.clock.now()).total_seconds())
        hooked.clock.moment = one.next_at
        assert await hooked.turn() is not None
    hours = [one * 3_600.0 for one in (2, 5, 10, 14, 20, 24)]
    assert waits == [0.0, 5.0, 300.0, 1_800.0, *hours]
    assert (one.state, one.attempts, one.next_at) == (WebhookState.FAILED, 10, None)

    hook.usual = 200
    now = hooked.clock.now()
    assert await games.replay_webhooks("hooked", since=NOW, by=CLERK, now=now) == 1
    assert await hooked.turn() is not None
    again = await hooked.only()
    assert (again.state, again.attempts) == (WebhookState.DELIVERED, 1)
    assert hook.ids == [one.message_id] * 11
    [entry] = [one for one in await log() if one.action == "webhooks.replay"]
    assert orjson.loads(entry.after) == {"since": NOW.isoformat(), "count": 1}


async def log() -> list[Any]:
    return [*(await audit.entries(PageRequest(first=100))).items]


async def test_an_address_that_is_gone_is_given_up_until_staff_says_otherwise(
    hooked: Hooked, hook: Hook
) -> None:
    hook.will_answer(410)
    await hooked.tell("a")
    await hooked.turn()
    assert await games.given_up_at(hooked.partner) == NOW
    [entry] = [one for one in await log() if one.action == "webhooks.disable"]
    assert (entry.actor, entry.target) == (
        "job:send-webhooks",
        audit.Target(kind="partner", id="hooked"),
    )
    assert entry.after == '{"status":410}'
    # What happens meanwhile waits, and the first one does.
    hooked.clock.advance(days=2)
    await hooked.tell("b")
    assert await hooked.turn() is None
    assert len(hook.told) == 1

    await games.enable_webhooks("hooked", by=CLERK, now=hooked.clock.now())
    assert await games.given_up_at(hooked.partner) is None
    assert await hooked.turn() is not None
    assert {one.state for one in await hooked.deliveries()} == {WebhookState.DELIVERED}
    assert [one.data["memberRefs"] for one in hook.told] in (
        [["a"], ["a"], ["b"]],
        [["a"], ["b"], ["a"]],
    )
    assert "webhooks.enable" in [one.action for one in await log()]


@ONE_DATABASE
async def test_another_address_counts_at_once(hooked: Hooked, hook: Hook) -> None:
    hook.will_answer(410)
    await hooked.tell("a")
    await hooked.turn()
    hooked.clock.advance(seconds=5)
    assert await hooked.turn() is None
    change = ChangePartner(code="hooked", version=1, changes={"webhook_url": hook.url + "/new"})
    after = await games.change_partner(change, by=CLERK, now=NOW)
    assert await games.given_up_at(after) is None
    assert await hooked.turn() is not None
    assert (await hooked.only()).state is WebhookState.DELIVERED


@ONE_DATABASE
async def test_who_asks_for_a_pause_gets_it_for_everything_that_waits(
    hooked: Hooked, hook: Hook
) -> None:
    await hooked.tell(*"abcdef")
    for _ in range(4):
        hook.will_answer(429, {"retry-after": "3600"})
    await hooked.turn()
    assert len(hook.told) == 4
    later = NOW + timedelta(hours=1)
    assert {one.next_at for one in await hooked.deliveries()} == {later}
    hooked.clock.moment = later
    turn = await hooked.turn()
    assert turn is not None
    assert turn.delivered == 6


async def test_who_is_disabled_or_has_no_address_is_sent_nothing(
    hooked: Hooked, hook: Hook, ring: KeyRing
) -> None:
    quiet = await open_hooked(ring, None, now=NOW, code="quiet")
    await quiet.tell("gm_alice")
    assert await quiet.deliveries() == []
    await hooked.tell("gm_alice")
    await games.disable_partner("hooked", by=CLERK, now=NOW)
    assert await hooked.turn() is None
    await games.enable_partner("hooked", by=CLERK, now=NOW)
    assert await hooked.turn() is not None
    assert len(hook.told) == 1


async def test_what_is_claimed_belongs_to_one_sender_until_its_lease_ends(
    hooked: Hooked, hook: Hook
) -> None:
    await hooked.tell("a", "b")
    endpoint = await hooked.endpoint()
    dead, claimed = await claim(endpoint, now=NOW, count=10)
    assert len(claimed) == 2
    assert await claim(endpoint, now=NOW, count=10) != (dead, claimed)
    assert await hooked.turn() is None
    # Whoever claimed them died: they are due again, and are the same.
    hooked.clock.advance(seconds=60)
    assert await hooked.turn() is not None
    assert sorted(hook.ids) == sorted(one.message_id for one in claimed)
    # It was only slow, and tells too late: nothing of it is written down.
    attempts = [Attempt(one, Answer(status=500), NOW, 0.0) for one in claimed]
    await record(endpoint, attempts, lease=dead)
    found = await hooked.deliveries()
    assert {(one.state, one.attempts, one.last_status) for one in found} == {("DELIVERED", 1, 204)}


async def test_replaying_takes_what_was_asked_for_and_nothing_of_others(
    hooked: Hooked, hook: Hook, ring: KeyRing
) -> None:
    other = await open_hooked(ring, hook.url, now=NOW, code="other")
    await other.tell("x")
    await other.turn()
    await hooked.tell("a")
    hooked.clock.advance(hours=1)
    await hooked.tell("b")
    await hooked.turn()
    first, second = await hooked.deliveries()
    foreign = (await other.only()).id

    async def replay(**asked: Any) -> int:
        return await games.replay_webhooks("hooked", by=CLERK, now=hooked.clock.now(), **asked)

    assert await replay(since=NOW + timedelta(minutes=1)) == 1
    assert [one.state for one in await hooked.deliveries()] == ["DELIVERED", "PENDING"]
    # What waits already is not counted again.
    assert await replay(since=NOW) == 1
    assert await replay(since=NOW) == 0
    await hooked.turn()
    assert await replay(ids=[first.id, foreign, uuid4()]) == 1
    assert [one.state for one in await hooked.deliveries()] == ["PENDING", "DELIVERED"]
    assert (await other.only()).state is WebhookState.DELIVERED
    await hooked.turn()
    mine = [one for one in hook.ids if one != f"msg_{foreign}"]
    assert sorted(mine) == sorted([first.message_id] * 3 + [second.message_id] * 2)

    wrongs: tuple[dict[str, Any], ...] = (
        {},
        {"since": NOW, "ids": [first.id]},
        {"ids": []},
        {"ids": [first.id] * 501},
    )
    for wrong in wrongs:
        with pytest.raises(InvalidInput):
            await replay(**wrong)
    with pytest.raises(PartnerUnknown):
        await games.replay_webhooks("nobody", since=NOW, by=CLERK, now=NOW)


async def test_old_deliveries_are_forgotten_whatever_became_of_them(
    hooked: Hooked, hook: Hook
) -> None:
    hook.will_answer(500)
    await hooked.tell("a")
    await hooked.turn()
    hooked.clock.advance(days=30)
    await hooked.tell("b")
    moment = NOW + timedelta(microseconds=1)
    assert await games.forget_webhooks(before=NOW) == 0
    assert await games.forget_webhooks(before=moment) == 1
    assert await games.forget_webhooks(before=moment) == 0
    assert (await hooked.only()).payload.endswith('{"memberRefs":["b"]}}')


async def test_the_log_of_deliveries_is_read_in_pages_the_newest_first(hooked: Hooked) -> None:
    await hooked.tell("a", "b", "c")
    first = await games.deliveries_page(hooked.id, PageRequest(first=2))
    second = await games.deliveries_page(hooked.id, PageRequest(first=2, after=first.keys[-1]))
    found = [one.payload[-5:-3] for one in (*first.items, *second.items)]
    assert [one[0] for one in found] == ["c", "b", "a"]
    assert (first.has_next, second.has_next) == (True, False)
    assert (await games.deliveries_page(UUID(int=5), PageRequest(first=2))).items == []
    assert len(await fetch_all("SELECT id FROM webhook_delivery")) == 3
