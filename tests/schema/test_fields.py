"""Types, fields and enums: descriptions from docstrings, policies beside fields, clean SDL."""

from __future__ import annotations

from typing import Generic, TypeVar

import pytest
import strawberry

from schema.building import make_schema
from schema.fields import computed, field, input_type, interface_type, object_type
from schema.inspection import fields_without_policy, undescribed
from schema.mutations import Payload, mutation
from schema.policies import OWNER, POLICY, PUBLIC, staff
from tests.schema.sample import ClosedThing, Note, build_sample

T = TypeVar("T")


def type_text(sdl: str, keyword: str) -> str:
    """The definition that begins with `keyword`, with its description."""
    return next(part for part in sdl.split("\n\n") if keyword in part) if keyword else sdl


def test_everything_of_the_sample_has_a_policy_and_a_description() -> None:
    schema = build_sample()
    assert fields_without_policy(schema) == []
    assert undescribed(schema) == []


def test_descriptions_come_from_classes_attributes_enum_members_and_methods() -> None:
    note = build_sample()._schema.type_map["Note"]
    assert note.description == "A note that a member wrote."
    fields = {name: one.description for name, one in note.fields.items()}  # type: ignore[attr-defined]
    assert fields == {
        "id": "The global id of this Note.",
        "text": "What it says.",
        "mood": "How it was meant.",
        "writtenAt": "When it was written.",
        "length": "How many characters it has.",
    }
    mood = build_sample()._schema.type_map["Mood"]
    assert {name: one.description for name, one in mood.values.items()} == {  # type: ignore[attr-defined]
        "KIND": "Kindly.",
        "CROSS": "Crossly.",
    }


def test_a_missing_description_and_a_missing_policy_are_found_by_name() -> None:
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
    class Query:
        """The root."""

        @computed(PUBLIC)
        def bare(self, given: BareInput) -> Bare:
            """Described."""
            return Bare(bare=given.mute, mute=0)

    schema = make_schema(query=Query)
    assert fields_without_policy(schema) == ["Bare.bare"]
    assert undescribed(schema) == ["Bare", "Bare.mute", "BareInput.mute", "Query.bare(given:)"]


def test_an_inherited_field_keeps_the_policy_and_the_description_of_its_interface() -> None:
    name = next(
        one
        for one in ClosedThing.__strawberry_definition__.fields
        if one.name == "name"  # type: ignore[attr-defined]
    )
    assert name.metadata[POLICY] == PUBLIC
    assert name.description == "What it is called."
    length = next(one for one in Note.__strawberry_definition__.fields if one.name == "length")  # type: ignore[attr-defined]
    assert length.metadata[POLICY] == OWNER | staff("service")


def test_a_generic_type_keeps_policies_and_descriptions_when_it_is_specialised() -> None:
    @object_type(policy=staff("service"))
    class Box(Generic[T]):
        """Holds something."""

        content: T
        """What is in it."""

    @object_type(policy=PUBLIC)
    class Query:
        """The root."""

        @computed(PUBLIC)
        def box(self) -> Box[int]:
            """A box."""
            return Box(content=1)

    schema = make_schema(query=Query)
    assert fields_without_policy(schema) == []
    assert undescribed(schema) == []
    assert 'type IntBox {\n  """What is in it."""\n  content: Int!\n}' in schema.as_str()


def test_nothing_taken_has_a_null_default_and_values_do() -> None:
    sdl = build_sample().as_str()
    assert "= null" not in sdl
    assert "first: Int = 20\n" in sdl
    assert "after: String\n" in sdl
    assert "input NoteRef @oneOf {" in sdl


def test_a_resolver_given_as_an_attribute_is_not_asked_of_the_constructor() -> None:
    def answer() -> int:
        return 42

    @object_type(policy=PUBLIC)
    class Query:
        """The root."""

        answer: int = field(PUBLIC, resolver=answer)
        """The answer."""

    assert make_schema(query=Query).execute_sync("{answer}").data == {"answer": 42}
    assert Query() == Query()


def test_a_mutation_takes_one_argument_named_input() -> None:
    with pytest.raises(TypeError, match="takes one argument named input: .*knock"):

        @mutation(PUBLIC)
        async def knock(self: object, twice: bool) -> Payload:
            return Payload()


def test_the_fields_of_a_payload_need_defaults() -> None:
    @object_type(policy=PUBLIC)
    class Demanding(Payload):
        """A payload that could not be made for a refusal."""

        result: str
        """What there would be."""

    @object_type(policy=PUBLIC)
    class Query:
        """The root."""

        ping: str = "pong"
        """Pong."""

    @object_type()
    class Mutation:
        """The root."""

        @mutation(PUBLIC)
        async def demand(self, input: int) -> Demanding:
            """Demand."""
            return Demanding(result="x")

    with pytest.raises(TypeError, match=r"Demanding\.result needs a default, like None"):
        make_schema(query=Query, mutation=Mutation)


def test_a_schema_may_be_built_twice_from_the_same_classes() -> None:
    assert build_sample().as_str() == build_sample().as_str()


def test_an_interface_of_ours_is_one_of_strawberry() -> None:
    @interface_type(policy=PUBLIC, name="Renamed")
    class Original:
        """Described."""

        name: str
        """Described."""

    assert strawberry.types.get_object_definition(Original, strict=True).name == "Renamed"
