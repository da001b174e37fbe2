"""Types, fields and enums: descriptions from docstrings, policies beside fields, clean SDL."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

import pytest
from strawberry.types.base import get_object_definition

from domain.access import StaffRole
from schema.building import make_schema
from schema.documents import DocumentLimits, InvalidDocument
from schema.fields import computed, field, input_type, interface_type, object_type
from schema.inspection import fields_without_policy, undescribed
from schema.mutations import Payload, mutation
from schema.policies import OWNER, POLICY, PUBLIC, Policy, staff
from tests.schema.sample import ClosedThing, Note, build_sample, make_sample

T = TypeVar("T")


@object_type()
class Bare:
    bare: int
    """Described, but guarded by nothing."""

    mute: int = field(PUBLIC)


@input_type()
class BareInput:
    """Described."""

    mute: int


@object_type(policy=PUBLIC)
class Box(Generic[T]):
    """Holds something."""

    content: T
    """What is in it."""


@object_type(name="Query", policy=PUBLIC)
class UnfinishedQuery:
    """The root."""

    @computed(PUBLIC)
    def bare(self, given: BareInput) -> Bare:
        """Described."""
        return Bare(bare=given.mute, mute=0)


@object_type(name="Query", policy=PUBLIC)
class BoxQuery:
    """The root."""

    @computed(PUBLIC)
    def box(self) -> Box[int]:
        """A box."""
        return Box(content=1)


@object_type(policy=PUBLIC)
class Demanding(Payload):
    """A payload that could not be made for a refusal."""

    result: str
    """What there would be."""


@object_type(name="Mutation")
class DemandingMutation:
    """The root."""

    @mutation(PUBLIC)
    async def demand(self, input: int) -> Demanding:
        """Demand."""
        return Demanding(result="x")


@interface_type(policy=PUBLIC, name="Renamed")
class Original:
    """Described."""

    name: str
    """Described."""


def give_answer() -> int:
    """The answer, as its resolver describes it."""
    return 42


@object_type(name="Query", policy=PUBLIC)
class AnswerQuery:
    """The root."""

    answer: int = field(PUBLIC, resolver=give_answer)


def policy_of(cls: type[Any], name: str) -> Policy | None:
    fields = get_object_definition(cls, strict=True).fields
    policy: Policy | None = next(one for one in fields if one.name == name).metadata.get(POLICY)
    return policy


def test_everything_of_the_sample_has_a_policy_and_a_description() -> None:
    schema = build_sample()
    assert fields_without_policy(schema) == []
    assert undescribed(schema) == []


def test_descriptions_come_from_classes_attributes_enum_members_and_methods() -> None:
    sdl = build_sample().as_str()
    assert (
        '"""A note that a member wrote."""\n'
        "type Note implements Node {\n"
        '  """The global id of this Note."""\n  id: ID!\n\n'
        '  """What it says."""\n  text: String!\n\n'
        '  """How it was meant."""\n  mood: Mood!\n\n'
        '  """When it was written."""\n  writtenAt: DateTime!\n\n'
        '  """How many characters it has."""\n  length: Int!\n'
        "}\n"
    ) in sdl
    assert (
        '"""How a note was meant."""\n'
        'enum Mood {\n  """Kindly."""\n  KIND\n\n  """Crossly."""\n  CROSS\n}\n'
    ) in sdl


def test_a_missing_description_and_a_missing_policy_are_found_by_name() -> None:
    schema = make_schema(query=UnfinishedQuery)
    assert fields_without_policy(schema) == ["Bare.bare"]
    assert undescribed(schema) == ["Bare", "Bare.mute", "BareInput.mute", "Query.bare(given:)"]


def test_an_inherited_field_keeps_the_policy_and_the_description_of_its_interface() -> None:
    # The type's own policy is for staff; the name comes from an interface for everybody.
    assert policy_of(ClosedThing, "name") == PUBLIC
    assert 'type OpenThing implements Thing {\n  """What it is called."""\n  name: String!\n}' in (
        build_sample().as_str()
    )


def test_a_field_keeps_its_own_policy_beside_that_of_its_type() -> None:
    assert policy_of(Note, "text") == OWNER
    assert policy_of(Note, "length") == OWNER | staff(StaffRole.SUPPORT)
    assert policy_of(Note, "id") == PUBLIC


def test_a_generic_type_keeps_policies_and_descriptions_when_it_is_specialised() -> None:
    schema = make_schema(query=BoxQuery)
    assert fields_without_policy(schema) == []
    assert undescribed(schema) == []
    assert (
        '"""Holds something."""\ntype IntBox {\n  """What is in it."""\n  content: Int!\n}'
    ) in schema.as_str()


def test_nothing_taken_has_a_null_default_and_values_stay() -> None:
    sdl = build_sample().as_str()
    assert "= null" not in sdl
    assert "first: Int = 20\n" in sdl
    assert "after: String\n" in sdl
    assert "knock(\n" in sdl
    assert "    input: WriteNoteInput\n  ): WriteNotePayload\n" in sdl
    assert "input NoteRef @oneOf {" in sdl


def test_an_attribute_may_be_answered_and_described_by_a_function() -> None:
    schema = make_schema(query=AnswerQuery)
    assert schema.execute_sync("{answer}").data == {"answer": 42}
    assert '"""The answer, as its resolver describes it."""\n  answer: Int!' in schema.as_str()


def test_a_mutation_takes_one_argument_named_input() -> None:
    with pytest.raises(TypeError, match=r"takes one argument named input: .*knock"):

        @mutation(PUBLIC)
        async def knock(self: object, twice: Annotated[bool, "any"]) -> Payload:
            return Payload()


def test_the_fields_of_a_payload_need_defaults() -> None:
    with pytest.raises(TypeError, match=r"Demanding\.result needs a default, like None"):
        make_schema(query=AnswerQuery, mutation=DemandingMutation)


def test_a_schema_may_be_built_twice_from_the_same_classes() -> None:
    assert make_sample().sdl == make_sample().sdl


def test_documents_are_pinned_in_one_of_the_schemas_that_share_their_types() -> None:
    one, other = build_sample(), build_sample(DocumentLimits(tokens_max=2))
    one.pin("query Kept { __typename }")
    assert one.documents.pinned_names() == {"Kept"}
    assert other.documents.pinned_names() == frozenset()
    with pytest.raises(InvalidDocument):
        other.prepare("{ __typename }")
    assert one.sdl == other.sdl


def test_a_type_may_have_another_name_in_the_schema() -> None:
    assert get_object_definition(Original, strict=True).name == "Renamed"
