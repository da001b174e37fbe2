"""What the reasons for recommendations say to members, in both languages."""

from __future__ import annotations

from typing import Final

from domain.recommendations import ReasonKind, ShownReason
from resolvers.context import Language
from schema.texts import Text

# Each sentence holds for whatever the kind stands for: a product of the history was bought or
# redeemed, an interest was declared or follows from what was looked at and is owned.
_NAMED: Final = {
    ReasonKind.BOUGHT: Text(
        zh="因为您购买或兑换过{name}", en="Because you bought or redeemed {name}"
    ),
    ReasonKind.INTEREST: Text(
        zh="因为您的选择、浏览或消费与{name}有关",
        en="Because what you chose, viewed or own is about {name}",
    ),
}
_UNNAMED: Final = {
    ReasonKind.BOUGHT: Text(
        zh="因为您以往的购买或兑换", en="Because of what you bought or redeemed"
    ),
    ReasonKind.INTEREST: Text(
        zh="因为您的选择、浏览或消费", en="Because of what you chose, viewed or own"
    ),
    ReasonKind.POPULARITY: Text(zh="很多会员都在购买", en="Many members buy it"),
}


def reason_text(reason: ShownReason, language: Language) -> str:
    """The sentence for a reason; what it names may be no longer in the catalogue."""
    name = _name(reason, language)
    if name is None:
        return str(getattr(_UNNAMED[reason.kind], language))
    # Not by `format`: a product may be called anything.
    return str(getattr(_NAMED[reason.kind], language)).replace("{name}", name)


def _name(reason: ShownReason, language: Language) -> str | None:
    if reason.product is not None:
        return reason.product.title
    if reason.theme is not None:
        return reason.theme.name_zh if language == "zh" else reason.theme.name_en
    return None
