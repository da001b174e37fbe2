"""Service contacts: to whom a member turns, and in which matter."""

from __future__ import annotations

from domain import members
from domain.access import StaffRole
from resolvers import contacts as resolvers
from schema.cost import MUTATION_COST, Cost
from schema.fields import Info, input_type, object_type, view
from schema.member_references import MemberReference
from schema.mutations import Payload, mutation
from schema.policies import OWNER, SEES_MEMBERS, staff

CONTACTS: Cost = Cost(own=5, items=10)
"""A member has at most ten."""

SETS_CONTACTS = staff(StaffRole.SUPPORT)


@object_type(policy=OWNER | SEES_MEMBERS)
class ServiceContact:
    """Somebody of the shop to whom a member turns."""

    name: str
    """Who."""

    role: str
    """What for."""

    channel: str
    """The code of the channel by which to reach them."""


@input_type()
class ServiceContactInput:
    """Somebody of the shop to whom a member turns."""

    name: str
    """Who, 1 to 64 characters."""

    role: str
    """What for, 1 to 64 characters."""

    channel: str
    """The code of the channel by which to reach them."""


@input_type()
class SetServiceContactsInput:
    """To whom a member shall turn."""

    member: MemberReference
    """Who."""

    contacts: list[ServiceContactInput]
    """At most 10, in their order; they replace those of before."""


@object_type(policy=SETS_CONTACTS)
class SetServiceContactsPayload(Payload):
    """What setting the contacts led to."""

    contacts: list[ServiceContact] | None = None
    """All contacts of the member; null when they were refused."""


@mutation(SETS_CONTACTS, cost=Cost(own=MUTATION_COST, items="input.contacts", of=("contacts",)))
async def set_service_contacts(
    info: Info, input: SetServiceContactsInput
) -> SetServiceContactsPayload:
    """Set to whom a member turns."""
    wanted = [
        members.ServiceContact(role=one.role, name=one.name, channel=one.channel)
        for one in input.contacts
    ]
    contacts: list[ServiceContact] = view(
        await resolvers.set_service_contacts(
            info.context, input.member.value(field=["member"]), wanted
        )
    )
    return SetServiceContactsPayload(contacts=contacts)
