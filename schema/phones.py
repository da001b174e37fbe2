"""Phone numbers: codes that prove one, signing in with it, binding one."""

from __future__ import annotations

from domain import members
from resolvers import phones as resolvers
from schema.charging import Sensitive
from schema.fields import Info, input_type, object_type, view
from schema.members import Member
from schema.mutations import Payload, mutation
from schema.policies import OWNER, PUBLIC
from schema.scalars import PhoneNumber
from schema.sessions import Session

CODES = Sensitive("sign_in_code", device_limit="sign_in_code_device")
SIGN_INS = Sensitive("phone_sign_in", device_limit="phone_sign_in_device")
BINDINGS = Sensitive("bind_phone")


@input_type()
class RequestSignInCodeInput:
    """Where a sign-in code shall go."""

    phone: PhoneNumber
    """The number of a telephone that takes text messages."""


@input_type()
class SignInWithPhoneInput:
    """A number and what was sent to it."""

    phone: PhoneNumber
    """The number."""

    code: str
    """The six digits of the newest message: good once, for five minutes and five tries."""

    invite_code: str | None = None
    """The code of whoever invited the member, where there is one."""


@input_type()
class BindPhoneInput:
    """What a mini-program has after its `getPhoneNumber` button."""

    app_id: str
    """The app id of the mini-program."""

    code: str
    """The code of `getPhoneNumber`: good once, for five minutes."""


@object_type(policy=PUBLIC)
class RequestSignInCodePayload(Payload):
    """What asking for a code led to."""

    sent: bool | None = None
    """True once the message is on its way, whether the number is a member's or nobody's yet."""

    resend_after: int | None = None
    """After how many seconds another code can be asked for."""


@object_type(policy=PUBLIC)
class SignInWithPhonePayload(Payload):
    """What a sign-in led to."""

    session: Session | None = None
    """The session; null when it was refused."""


@object_type(policy=OWNER)
class BindPhonePayload(Payload):
    """What binding a phone led to."""

    member: Member | None = None
    """The member with the phone; null when it was refused."""


@mutation(PUBLIC, sensitive=CODES)
async def request_sign_in_code(
    info: Info, input: RequestSignInCodeInput
) -> RequestSignInCodePayload:
    """Send a sign-in code by text message: one in a minute, ten in a day for one number."""
    again = await resolvers.request_sign_in_code(info.context, input.phone)
    return RequestSignInCodePayload(sent=True, resend_after=int(again.total_seconds()))


@mutation(PUBLIC, sensitive=SIGN_INS)
async def sign_in_with_phone(info: Info, input: SignInWithPhoneInput) -> SignInWithPhonePayload:
    """Sign in with a phone number; whoever is not a member yet becomes one."""
    command = members.SignInWithPhone(
        phone=input.phone, code=input.code, invite_code=input.invite_code
    )
    signed_in = await resolvers.sign_in_with_phone(info.context, command)
    session = Session.of(signed_in.session, is_new_member=signed_in.is_new_member)
    return SignInWithPhonePayload(session=session)


@mutation(OWNER, sensitive=BINDINGS)
async def bind_phone(info: Info, input: BindPhoneInput) -> BindPhonePayload:
    """Bind the phone number of the WeChat user to the member, in place of another one."""
    record = await resolvers.bind_phone(info.context, app_id=input.app_id, code=input.code)
    return BindPhonePayload(member=view(record))
