"""Which partners a member allows, and the token by which a partner comes to know the member."""

from __future__ import annotations

from datetime import datetime

import strawberry

from domain import games
from resolvers import game_bindings as resolvers
from schema.fields import Info, computed, input_type, object_type, view
from schema.games import GameHost
from schema.language import spoken
from schema.mutations import Payload, mutation
from schema.policies import OWNER
from schema.pushed_rewards import WRITES_REWARDS

PARTNERS_LIKELY = 10
"""Partners that most members do not exceed."""


@object_type(policy=OWNER)
class GameBinding:
    """A partner platform that the member allows to know and to reward them."""

    bound_at: datetime
    """Since when."""

    @computed(OWNER)
    def partner(self, info: Info) -> GameHost:
        """Which partner."""
        binding: games.Binding = view(self)
        return GameHost(code=binding.partner_code, name=spoken(self, "partner_name", info))


@object_type(policy=OWNER)
class NewGameBinding:
    """A partner platform that the member allows, with a token for the game's page."""

    bound_at: datetime
    """Since when the member allows it."""

    bind_token: str
    """What the game's page hands to the partner, who exchanges it once."""

    expires_at: datetime
    """The first moment at which the token is good for nothing."""

    @computed(OWNER)
    def partner(self, info: Info) -> GameHost:
        """Which partner."""
        made: games.NewBinding = view(self)
        return GameHost(code=made.partner.code, name=spoken(made.partner, "name", info))


@input_type()
class CreateGameBindingInput:
    """Whom to allow."""

    partner_code: str
    """The code of the partner."""

    consent: bool
    """True: the member read the words of `partner:` and this code, or of `partner:*` where there
    are none (`consentTexts`), and agrees that the partner is given a name for them."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class RemoveGameBindingInput:
    """Whom to allow no longer."""

    partner_code: str
    """The code of the partner."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class ExchangeBindTokenInput:
    """What came from the game's page."""

    bind_token: str
    """The token that the member's client was given."""


@object_type(policy=OWNER)
class CreateGameBindingPayload(Payload):
    """What allowing a partner led to."""

    binding: NewGameBinding | None = None
    """The partner and a token; null when it was refused."""


@object_type(policy=OWNER)
class RemoveGameBindingPayload(Payload):
    """What no longer allowing a partner led to."""

    removed: bool | None = None
    """Whether the partner was allowed before; null when it was refused."""


@object_type(policy=WRITES_REWARDS)
class ExchangeBindTokenPayload(Payload):
    """What exchanging a token led to."""

    member_ref: str | None = None
    """What the partner alone calls the member, the same each time; null when it was refused."""


@mutation(OWNER)
async def create_game_binding(
    info: Info, input: CreateGameBindingInput
) -> CreateGameBindingPayload:
    """Allow a partner platform to know and to reward the member, and get a token for its page.

    The consent is one of its own (`consents`), and withdrawing it ends the binding.
    """
    made: NewGameBinding = view(
        await resolvers.create_binding(
            info.context,
            partner_code=input.partner_code,
            consent=input.consent,
            idempotency_key=input.idempotency_key,
        )
    )
    return CreateGameBindingPayload(binding=made)


@mutation(OWNER)
async def remove_game_binding(
    info: Info, input: RemoveGameBindingInput
) -> RemoveGameBindingPayload:
    """No longer allow a partner platform, and withdraw the consent. What was won stays."""
    removed = await resolvers.remove_binding(
        info.context,
        partner_code=input.partner_code,
        idempotency_key=input.idempotency_key,
    )
    return RemoveGameBindingPayload(removed=removed)


@mutation(WRITES_REWARDS)
async def exchange_bind_token(
    info: Info, input: ExchangeBindTokenInput
) -> ExchangeBindTokenPayload:
    """Learn what the partner may call the member who came to the game's page. Once per token."""
    return ExchangeBindTokenPayload(
        member_ref=await resolvers.exchange_bind_token(info.context, input.bind_token)
    )
