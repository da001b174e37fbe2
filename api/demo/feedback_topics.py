"""What feedback of the demo may be about, and what it comes from."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from api.cli.operators import operator
from domain import feedback
from domain.feedback import Cause, Topic

TOPICS: Final = (
    Topic(code="delivery", name_zh="配送", name_en="Delivery"),
    Topic(code="product", name_zh="商品", name_en="Products"),
    Topic(code="service", name_zh="服务", name_en="Service"),
    Topic(code="points", name_zh="积分", name_en="Points"),
    Topic(code="account", name_zh="账户", name_en="Account"),
)

CAUSES: Final = (
    Cause(code="carrier-late", topic="delivery", name_zh="承运商延误", name_en="Carrier late"),
    Cause(code="parcel-lost", topic="delivery", name_zh="包裹丢失", name_en="Parcel lost"),
    Cause(code="damaged", topic="product", name_zh="商品破损", name_en="Damaged goods"),
    Cause(code="not-as-shown", topic="product", name_zh="与描述不符", name_en="Not as shown"),
    Cause(code="staff-conduct", topic="service", name_zh="服务态度", name_en="Conduct of staff"),
    Cause(code="points-late", topic="points", name_zh="积分到账延迟", name_en="Points came late"),
    Cause(code="misunderstanding", topic=None, name_zh="误解", name_en="A misunderstanding"),
    Cause(code="other", topic=None, name_zh="其他", name_en="Something else"),
)


async def open_topics(*, now: datetime) -> None:
    """Define them, unless there are any."""
    if await feedback.topics(all_of_them=True):
        return
    for topic in TOPICS:
        await feedback.define_topic(topic, by=operator(), now=now)
    for cause in CAUSES:
        await feedback.define_cause(cause, by=operator(), now=now)
