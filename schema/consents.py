"""Consents: what members are asked to agree to, and what they said."""

from __future__ import annotations

from datetime import datetime

from domain import members
from resolvers import consents as resolvers
from schema.fields import Info, computed, input_type, object_type, view
from schema.language import spoken
from schema.mutations import Payload, mutation
from schema.policies import OWNER, PUBLIC


@object_type(policy=PUBLIC)
class ConsentText:
    """The current words of what members are asked to agree to, for one purpose."""

    purpose: str
    """`terms`, `personalization`, `behavior_tracking`, `marketing` or another of the programme's.
    The words of `partner:*` are those for every partner that has none of its own: a member agrees
    to `partner:` and the partner's code."""

    version: str
    """The version of the words; send it with the consent."""

    @computed(PUBLIC)
    def title(self, info: Info) -> str:
        """What it is about, in a line."""
        return spoken(self, "title", info)

    @computed(PUBLIC)
    def body(self, info: Info) -> str:
        """All of it."""
        return spoken(self, "body", info)


@object_type(policy=OWNER)
class Consent:
    """What a member said last of one purpose."""

    purpose: str
    """To what."""

    granted: bool
    """Whether the member agrees."""

    version: str
    """The version of the words it was said to."""

    at: datetime
    """When it was said."""


@input_type()
class SetConsentInput:
    """What the member says."""

    purpose: str
    """To what: a purpose of `consentTexts`, or `partner:` and the code of a partner."""

    granted: bool
    """True to agree, false to withdraw, which holds at once."""

    version: str
    """The version of the words that the member read; it must be the current one to agree, and does
    not matter to withdraw."""


@object_type(policy=OWNER)
class SetConsentPayload(Payload):
    """What agreeing or withdrawing led to."""

    consent: Consent | None = None
    """What holds now; null when it was refused."""


async def consent_texts() -> list[ConsentText] | None:
    """What the programme asks its members to agree to, by purpose."""
    texts: list[ConsentText] = view(await resolvers.consent_texts())
    return texts


@mutation(OWNER)
async def set_consent(info: Info, input: SetConsentInput) -> SetConsentPayload:
    """Agree to something, or withdraw. What holds already stays, with its moment."""
    said: members.Consent = await resolvers.set_consent(
        info.context, purpose=input.purpose, granted=input.granted, version=input.version
    )
    return SetConsentPayload(consent=view(said))
