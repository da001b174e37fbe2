"""Where members have things sent."""

from __future__ import annotations

import strawberry

from domain import rewards
from domain.access import StaffRole
from resolvers import redemptions as resolvers
from schema.fields import Info, computed, input_type, object_type, view
from schema.mutations import Payload, mutation
from schema.node import decode_own_uuid, encode_global_id
from schema.policies import OWNER, staff
from schema.scalars import PhoneNumber

SENDS = staff(StaffRole.SUPPORT, StaffRole.MARKETING)
"""Staff who send gifts."""


@object_type(policy=OWNER | SENDS)
class PostalAddress:
    """Who receives a parcel, and where."""

    recipient: str
    """Whose name is on it."""

    phone: PhoneNumber
    """Whom the carrier calls."""

    region: str
    """Province, city and district."""

    street: str
    """Street, number and what else the carrier needs."""

    postcode: str | None
    """The postcode, where it is known."""


@object_type(policy=OWNER)
class Address:
    """A postal address that the member keeps."""

    place: PostalAddress
    """Who and where."""

    @computed(OWNER)
    def id(self) -> strawberry.ID:
        """The id, for `redeemReward`, `setRedemptionAddress` and `removeAddress`."""
        address: rewards.Address = view(self)
        return encode_global_id("Address", address.key)


@input_type()
class AddAddressInput:
    """An address to keep."""

    recipient: str
    """Whose name is on the parcel: 1 to 64 characters."""

    phone: PhoneNumber
    """Whom the carrier calls."""

    region: str
    """Province, city and district: 1 to 128 characters."""

    street: str
    """Street, number and what else the carrier needs: 1 to 256 characters."""

    postcode: str | None = None
    """The postcode, at most 16 characters."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class RemoveAddressInput:
    """An address to forget."""

    address_id: strawberry.ID
    """Which one."""


@object_type(policy=OWNER)
class AddAddressPayload(Payload):
    """What keeping an address led to."""

    address: Address | None = None
    """The address; null when it was refused."""


@object_type(policy=OWNER)
class RemoveAddressPayload(Payload):
    """What forgetting an address led to."""

    removed_id: strawberry.ID | None = None
    """The id that is no more; null when it was refused."""


@mutation(OWNER)
async def add_address(info: Info, input: AddAddressInput) -> AddAddressPayload:
    """Keep an address, at most 20."""
    command = rewards.AddAddress(
        member_id=info.context.require_member(),
        place=rewards.Place(
            recipient=input.recipient,
            phone=input.phone,
            region=input.region,
            street=input.street,
            postcode=input.postcode or None,
        ),
        idempotency_key=input.idempotency_key,
    )
    address: Address = view(await resolvers.add_address(info.context, command))
    return AddAddressPayload(address=address)


@mutation(OWNER)
async def remove_address(info: Info, input: RemoveAddressInput) -> RemoveAddressPayload:
    """Forget an address; what was sent there, or is on its way, stays so."""
    _, address_id = decode_own_uuid(input.address_id, "Address")
    await resolvers.remove_address(info.context, address_id)
    return RemoveAddressPayload(removed_id=input.address_id)
