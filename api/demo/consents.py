"""What the demo's members are asked to agree to. Short, and no model for a shop's lawyers."""

from __future__ import annotations

from typing import Final

from domain.members import ConsentText

CONSENT_TEXTS: Final = tuple(
    ConsentText(
        purpose=purpose,
        version="1",
        title_zh=title_zh,
        title_en=title_en,
        body_zh=body_zh,
        body_en=body_en,
    )
    for purpose, title_zh, title_en, body_zh, body_en in [
        (
            "terms",
            "会员章程",
            "Terms of the programme",
            "积分按消费金额获得，自获得之日起十二个月内有效。您可以随时查阅、导出或删除您的会员资料。",
            "Points are earned by what you pay and live for twelve months. You may look at your"
            " record, take it with you, or have it deleted at any time.",
        ),
        (
            "personalization",
            "个性化推荐",
            "Personal recommendations",
            "我们根据您的购买记录和您选择的兴趣为您推荐商品。撤回后您看到的推荐与其他人相同。",
            "We choose what to show you by what you bought and by the interests that you told us."
            " Withdraw it, and you are shown what everyone is.",
        ),
        (
            "behavior_tracking",
            "浏览行为记录",
            "What you look at",
            "我们记录您在商城中浏览和搜索的商品，用于改进推荐。撤回后已记录的内容会立即删除。",
            "We keep which products you look at and search for, to recommend better. Withdraw it,"
            " and what was kept is deleted at once.",
        ),
        (
            "marketing",
            "营销消息",
            "News and offers",
            "我们通过您选择的渠道向您发送新品和优惠信息。",
            "We send you news and offers by the channel that you prefer.",
        ),
        (
            "partner:*",
            "与合作伙伴共享会员标识",
            "A partner who knows you",
            "我们向该合作伙伴提供一个仅供其使用的会员标识，以便为您发放奖励，不提供您的手机号或昵称。",
            "The partner is given a name for you that it alone uses, so that it can reward you;"
            " neither your telephone number nor your nickname.",
        ),
    ]
)
