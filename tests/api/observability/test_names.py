"""Names of operations as labels: bounded, whatever comes."""

from __future__ import annotations

from api.observability.names import OperationNames


def test_reserved_names_always_count_and_of_others_the_first() -> None:
    names = OperationNames(2, reserved={"Home"})
    assert [names.label(one) for one in ("A", "B", "C", "Home", "A", "D")] == [
        "A",
        "B",
        "other",
        "Home",
        "A",
        "other",
    ]


def test_what_has_no_name_is_anonymous() -> None:
    assert OperationNames(0).label(None) == "anonymous"


def test_a_long_name_never_counts_and_takes_no_room() -> None:
    names = OperationNames(1)
    assert names.label("N" * 65) == "other"
    assert names.label("N" * 64) == "N" * 64


def test_a_hundred_thousand_names_make_as_many_labels_as_are_allowed() -> None:
    names = OperationNames(200)
    labels = {names.label(f"Q{number}") for number in range(100_000)}
    assert len(labels) == 201
