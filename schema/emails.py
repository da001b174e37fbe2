"""E-mail addresses: a code that proves one, and the address that is confirmed with it."""

from __future__ import annotations

from domain import members
from resolvers import emails as resolvers
from schema.charging import Sensitive
from schema.fields import Info, input_type, object_type, view
from schema.members import Member
from schema.mutations import Payload, mutation
from schema.policies import OWNER

CODES = Sensitive("email_code")
CONFIRMATIONS = Sensitive("confirm_email")


@input_type()
class SetEmailInput:
    """Where the member wants to be written to."""

    email: str | None = None
    """The address; null takes away the one that is confirmed."""


@input_type()
class ConfirmEmailInput:
    """An address and what was sent there."""

    email: str
    """The address."""

    code: str
    """The six digits of the newest mail: good once, for half an hour and five tries."""


@object_type(policy=OWNER)
class SetEmailPayload(Payload):
    """What asking for an address led to."""

    sent: bool | None = None
    """True once a mail with a code is on its way; false where the address was taken away."""

    resend_after: int | None = None
    """After how many seconds another code can be asked for; null where none was sent."""

    member: Member | None = None
    """The member, whose address is still what it was until a new one is confirmed."""


@object_type(policy=OWNER)
class ConfirmEmailPayload(Payload):
    """What confirming an address led to."""

    member: Member | None = None
    """The member with the address; null when it was refused."""


@mutation(OWNER, sensitive=CODES)
async def set_email(info: Info, input: SetEmailInput) -> SetEmailPayload:
    """Send a code to an e-mail address, to be confirmed with it; or take the address away.

    One in a minute, ten in a day for one address.
    """
    again, record = await resolvers.set_email(info.context, input.email)
    return SetEmailPayload(
        sent=again is not None,
        resend_after=None if again is None else int(again.total_seconds()),
        member=view(record),
    )


@mutation(OWNER, sensitive=CONFIRMATIONS)
async def confirm_email(info: Info, input: ConfirmEmailInput) -> ConfirmEmailPayload:
    """Confirm an e-mail address with the code that was sent there, in place of another one."""
    member_id = info.context.require_member()
    command = members.ConfirmEmail(member_id=member_id, email=input.email, code=input.code)
    return ConfirmEmailPayload(member=view(await resolvers.confirm_email(info.context, command)))
