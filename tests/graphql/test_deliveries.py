"""Subscribe messages that members allow, the delivery log of staff, and links that end mails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

import pytest
import pytest_asyncio

from api.fake_wechat import DEMO_APP_ID, RunningFake
from api.telling.settings import SubscribeTemplateSettings, template_problems
from domain.notifications import (
    KindGroup,
    Notification,
    OpenChannels,
    SubscribeTemplate,
    deliveries_consumer,
    notify,
    preferences,
)
from domain.notifications.channels import unsubscribe_token
from domain.notifications.quiet import Channel
from domain.outbox import drain
from domain.storage import fetch_all, transaction
from tests.domain.wechat.mini_program import TEMPLATE_ID, MovableClock
from tests.graphql.gateway import NOW, Gateway, open_gateway, settings_for
from tests.graphql.kept import changed, everything_kept
from tests.graphql.programme import set_up_programme

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE_CLICK: Final = {"List-Unsubscribe": (None, "One-Click")}
ERRORS = "userErrors { code message field retryable }"
ACCEPT = (
    "mutation ($input: AcceptSubscribeMessagesInput!) { acceptSubscribeMessages(input: $input) {"
    f" subscribeMessages {{ templateId kinds remaining }} {ERRORS} }} }}"
)
MINE = "query ($app: String!) { me { subscribeMessages(appId: $app) { templateId remaining } } }"
LOG = (
    "query ($of: WantedDeliveriesInput) { staff { notificationDeliveries(of: $of) {"
    " nodes { id memberId channel state attempts reason sentAt } } } }"
)
REPLAY = (
    "mutation ($input: ReplayNotificationDeliveriesInput!) {"
    f" replayNotificationDeliveries(input: $input) {{ count {ERRORS} }} }}"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    shared_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    _serving_fake: tuple[RunningFake, MovableClock],
) -> AsyncIterator[Gateway]:
    fake, _ = _serving_fake
    fake.state.reset()
    settings = settings_for(shared_url, tmp_path_factory.mktemp("keys"), fake)
    shipped = SubscribeTemplateSettings(template_id=TEMPLATE_ID, values={"thing1": "body"})
    update = {"subscribe_messages": {DEMO_APP_ID: {"ORDER_SHIPPED": shipped}}}
    settings = settings.model_copy(update=update)
    async with open_gateway(settings, fake) as opened:
        await set_up_programme(now=NOW)
        yield opened


async def do(gateway: Gateway, document: str, token: str | None, **variables: Any) -> Any:
    answer = (await gateway.ask(document, variables, token=token)).json()
    assert "errors" not in answer, answer
    return next(iter(answer["data"].values()))


async def tell(gateway: Gateway, member_id: UUID) -> None:
    """Tell the member that an order is on its way, and write down how they hear of it."""
    one = Notification(member_id=member_id, kind="ORDER_SHIPPED", facts={"order": "A-1"})
    await transaction(lambda: notify([one], now=NOW))
    templates = {DEMO_APP_ID: {"ORDER_SHIPPED": SubscribeTemplate(template_id=TEMPLATE_ID)}}
    opened = OpenChannels(channels=frozenset({Channel.SUBSCRIBE_MESSAGE}), templates=templates)
    await drain([deliveries_consumer(opened)], clock=gateway.clock.now)


async def test_a_mini_program_tells_what_was_allowed_and_staff_sees_what_came_of_it(
    gateway: Gateway,
) -> None:
    session = await gateway.sign_in("subscriber-1")
    token = session.access_token
    nothing = {"subscribeMessages": [{"templateId": TEMPLATE_ID, "remaining": 0}]}
    assert await do(gateway, MINE, token, app=DEMO_APP_ID) == nothing
    given = {"appId": DEMO_APP_ID, "templateIds": [TEMPLATE_ID], "idempotencyKey": "k-1"}
    one = {"templateId": TEMPLATE_ID, "kinds": ["ORDER_SHIPPED"], "remaining": 1}
    for _ in range(2):
        answer = await do(gateway, ACCEPT, token, input=given)
        assert answer == {"subscribeMessages": [one], "userErrors": []}
    before = await everything_kept()
    given |= {"templateIds": ["another"], "idempotencyKey": "k-2"}
    answer = await do(gateway, ACCEPT, token, input=given)
    assert answer["subscribeMessages"] is None
    [refused] = answer["userErrors"]
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["templateIds", "0"])
    given |= {"appId": "wx-of-nobody"}
    [refused] = (await do(gateway, ACCEPT, token, input=given))["userErrors"]
    assert (refused["code"], refused["field"]) == ("APP_UNKNOWN", ["appId"])
    assert await everything_kept() == before
    await tell(gateway, session.member)
    staff = await gateway.staff()
    of = {"member": {"id": session.member_id}, "state": "WAITING"}
    seen = await do(gateway, LOG, staff, of=of)
    [delivery] = seen["notificationDeliveries"]["nodes"]
    assert {name: delivery[name] for name in ("memberId", "channel", "state", "attempts")} == {
        "memberId": session.member_id,
        "channel": "SUBSCRIBE_MESSAGE",
        "state": "WAITING",
        "attempts": 0,
    }
    # It waits already: nothing is to be sent again.
    answer = await do(gateway, REPLAY, staff, input={"ids": [delivery["id"]]})
    assert answer == {"count": 0, "userErrors": []}
    rows = await fetch_all(
        "SELECT action FROM audit_entry WHERE action LIKE 'notification_deliveries%' ORDER BY seq"
    )
    assert [row["action"] for row in rows] == [
        "notification_deliveries.read",
        "notification_deliveries.replay",
    ]


async def test_a_link_asks_before_it_ends_mails_and_mail_programs_end_them_at_once(
    gateway: Gateway,
) -> None:
    member = (await gateway.sign_in("subscriber-2")).member
    link = f"/unsubscribe/{unsubscribe_token(member, KindGroup.ORDERS)}"
    before = await everything_kept()
    page = await gateway.http.get(link)
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert '<form method="post">' in page.text
    assert str(member) not in page.text
    assert (await gateway.http.get(f"{link}x")).status_code == 404
    assert (await gateway.http.post("/unsubscribe/made-up")).status_code == 404
    # It says what it ends, and what of it can be had back.
    for words in ("订单与退款", "your orders and refunds", "通知设置", "notification settings"):
        assert words in page.text
    # Whatever else is posted there ends nothing.
    no_clicks: list[dict[str, Any]] = [
        {},
        {"data": {"List-Unsubscribe": "Two-Clicks"}},
        {"json": {"List-Unsubscribe": "One-Click"}},
        {"data": {"List-Unsubscribe": "One-Click", "more": "x" * 5_000}},
        {"content": b"--x", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"--x", "headers": {"content-type": "multipart/form-data"}},
    ]
    for no_click in no_clicks:
        refused = await gateway.http.post(link, **no_click)
        assert (refused.status_code, "<form" in refused.text) == (400, True)
    assert await everything_kept() == before
    # As RFC 8058 has it: no cookie, no token, this very body.
    for form in ({"data": {"List-Unsubscribe": "One-Click"}}, {"files": ONE_CLICK}):
        done = await gateway.http.post(link, **form)
        assert (done.status_code, "<form" in done.text) == (200, False)
    assert changed(before, await everything_kept()) >= {"notification_preference"}
    said = await preferences(member)
    assert not said.wants("ORDER_SHIPPED", Channel.EMAIL)
    assert said.wants("ORDER_SHIPPED", Channel.SUBSCRIBE_MESSAGE)
    assert said.wants("LEVEL_REACHED", Channel.EMAIL)


async def test_templates_of_apps_and_kinds_that_there_are_not_are_named() -> None:
    one = SubscribeTemplateSettings(template_id="t")
    with_facts = SubscribeTemplateSettings(
        template_id="t", values={"thing1": "title", "thing2": "carrier", "thing3": "parcel"}
    )
    assert template_problems({"wx1": {"ORDER_SHIPPED": with_facts}}, apps=["wx1"]) == [
        "JIFEN_SUBSCRIBE_MESSAGES: ORDER_SHIPPED has no parcel"
    ]
    assert template_problems({"wx1": {"ORDER_SHIPPED": one, "NOTHING": one}}, apps=["wx2"]) == [
        "JIFEN_SUBSCRIBE_MESSAGES: wx1 is not in JIFEN_WECHAT_APPS",
        "JIFEN_SUBSCRIBE_MESSAGES: no kind of notification is NOTHING",
    ]
