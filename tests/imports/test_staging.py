"""Rows put together into orders, wherever they stand in a file, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from api.imports.mapping import PURCHASE_FIELDS, column_mapping
from api.imports.purchase_rows import PurchaseForm, PurchaseLine, PurchaseRows
from api.imports.reading import CsvForm, open_source
from api.imports.rejects import Reject, Rejects
from api.imports.staging import StagedOrder, Staging
from domain.members import ByExternalReference
from domain.purchases import Order, OrderLine

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HEADER = ["order", "member", "product", "quantity", "amount", "placed", "shop"]
Staged = StagedOrder | list[tuple[int, Reject]]


def reader(*, header: Sequence[str] = HEADER, guests: Sequence[str] = ()) -> PurchaseRows:
    form = PurchaseForm(zone=ZoneInfo("Asia/Shanghai"), guests=guests)
    return PurchaseRows(column_mapping(PURCHASE_FIELDS, header=header), form, now=NOW)


def row(order: str, member: str, product: str, **changes: str) -> list[str]:
    values = {
        "quantity": "1",
        "amount": "1.00",
        "placed": "2026-01-01 08:00",
        "shop": "",
        **changes,
    }
    return [order, member, product, *values.values()]


def staged(rows: Sequence[Sequence[str]], *, lines_max: int = 100) -> list[Staged]:
    """What the rows, numbered from 1, come to; refused rows are staged as refused."""
    rows_of, staging = reader(), Staging()
    for number, values in enumerate(rows, start=1):
        outcome = rows_of.read(values)
        if isinstance(outcome, PurchaseLine):
            staging.add([(number, outcome)])
        elif place := rows_of.place_of(values):
            staging.add_refused([(number, place)])
    orders = list(staging.orders(lines_max=lines_max))
    staging.close()
    return orders


def codes(outcome: Staged) -> list[tuple[int, str]]:
    assert not isinstance(outcome, StagedOrder)
    return [(number, reject.code) for number, reject in outcome]


def lines(outcome: Staged) -> dict[str, int]:
    assert isinstance(outcome, StagedOrder)
    assert [line.line_id for line in outcome.order.lines] == list(outcome.rows)
    return outcome.rows


def test_the_lines_of_an_order_come_together_with_ids_of_their_own() -> None:
    [one] = staged(
        [
            row("A", "alice", "tea", placed="2026-01-02 00:00", amount="2.50", quantity="3"),
            row("A", "alice", "cup", placed="2026-01-01 08:00", shop="mall"),
            row("A", "alice", "tea", placed="2026-01-03 00:00", amount="0", quantity="0"),
        ]
    )
    assert one == StagedOrder(
        order=Order(
            external_id="A",
            member=ByExternalReference("alice"),
            # The first line's moment, in Shanghai.
            placed_at=datetime(2026, 1, 1, 0, 0, tzinfo=UTC),
            paid_fen=350,
            shop="mall",
            lines=[
                OrderLine(line_id="tea#1", product_code="tea", quantity=3, amount_fen=250),
                OrderLine(line_id="cup#1", product_code="cup", quantity=1, amount_fen=100),
                OrderLine(line_id="tea#2", product_code="tea", quantity=0, amount_fen=0),
            ],
        ),
        rows={"tea#1": 1, "cup#1": 2, "tea#2": 3},
    )


def test_members_come_one_after_the_other_and_their_orders_as_they_were_placed() -> None:
    orders = staged(
        [
            row("1", "bob", "cup", placed="2026-01-01"),
            row("2", "alice", "cup", placed="2026-01-09"),
            row("3", "bob", "cup", placed="2025-01-01"),
            row("4", "alice", "cup", placed="2026-01-05"),
            row("2", "alice", "tea", placed="2026-01-02"),
        ]
    )
    ids = [one.order.external_id for one in orders if isinstance(one, StagedOrder)]
    assert ids == ["2", "4", "3", "1"]


def test_a_refused_row_keeps_its_number_so_that_mending_it_moves_no_other() -> None:
    bad = [row("A", "alice", "tea"), row("A", "alice", "tea", amount="x"), row("A", "alice", "tea")]
    assert [lines(one) for one in staged(bad)] == [{"tea#1": 1, "tea#3": 3}]
    mended = [bad[0], row("A", "alice", "tea"), bad[2]]
    assert [lines(one) for one in staged(mended)] == [{"tea#1": 1, "tea#2": 2, "tea#3": 3}]


def test_an_order_of_two_members_is_refused_row_by_row() -> None:
    outcomes = staged(
        [
            row("A", "alice", "tea"),
            row("B", "bob", "tea"),
            row("A", "bob", "cup"),
            row("A", "", "cup"),
        ]
    )
    assert codes(outcomes[0]) == [(1, "MEMBERS_DIFFER"), (3, "MEMBERS_DIFFER")]
    assert [lines(one) for one in outcomes[1:]] == [{"tea#1": 2}]


def test_an_order_of_refused_rows_only_is_none() -> None:
    assert staged([row("A", "alice", "tea", amount="x"), row("A", "", "tea")]) == []


def test_lines_beyond_the_most_that_an_order_may_have_are_refused() -> None:
    rows = [row("A", "alice", "tea") for _ in range(5)]
    rejected, kept = staged(rows, lines_max=3)
    assert codes(rejected) == [(4, "LINES_INVALID"), (5, "LINES_INVALID")]
    assert lines(kept) == {"tea#1": 1, "tea#2": 2, "tea#3": 3}


def test_a_line_id_of_the_file_that_comes_twice_is_refused_the_second_time() -> None:
    header = [*HEADER, "line"]
    rows_of, staging = reader(header=header), Staging()
    for number, line_id in enumerate(("1", "2", "1"), start=1):
        order, *rest = row("A", "alice", "tea")
        outcome = rows_of.read([order, line_id, *rest])
        assert isinstance(outcome, PurchaseLine)
        staging.add([(number, outcome)])
    rejected, kept = staging.orders(lines_max=100)
    assert codes(rejected) == [(3, "LINE_REPEATED")]
    assert lines(kept) == {"1": 1, "2": 2}


def test_guests_and_the_first_fault_of_a_row() -> None:
    rows_of = reader(guests=["0", "guest"])
    refused = {
        tuple(values): rows_of.read(values)
        for values in (
            row("A", "0", "tea"),
            row("A", " guest ", "tea"),
            row("", "", "", quantity="x"),
            row("A", "m" * 129, "tea", quantity="x"),
        )
    }
    assert [one.code for one in refused.values() if isinstance(one, Reject)] == [
        "GUEST",
        "GUEST",
        "ORDER_MISSING",
        "TEXT_INVALID",
    ]
    # Spaces around a value are no part of it.
    kept = rows_of.read(row(" A ", "alice ", " tea"))
    assert isinstance(kept, PurchaseLine)
    assert (kept.order_id, kept.member, kept.product_code) == ("A", "alice", "tea")


def test_the_latest_moment_is_five_minutes_ahead() -> None:
    rows_of = reader()
    latest = rows_of.read(row("A", "alice", "tea", placed="2026-03-01T12:05:00Z"))
    assert isinstance(latest, PurchaseLine)
    later = rows_of.read(row("A", "alice", "tea", placed="2026-03-01T12:05:00.000001Z"))
    assert isinstance(later, Reject)
    assert later.code == "FUTURE_DATED"
    early = rows_of.read(row("A", "alice", "tea", placed="1969-12-31"))
    assert isinstance(early, Reject)
    assert early.code == "DATE_INVALID"


def test_rejects_are_written_in_the_order_of_the_file_with_the_rows_as_they_stand(
    tmp_path: Path,
) -> None:
    source_path, path = tmp_path / "in.csv", tmp_path / "made" / "rejects.csv"
    source_path.write_bytes(b'a,b\n1,"x, y"\n\xff,2\n3\n4,4\n')
    source = open_source(source_path, csv_form=CsvForm())
    rejects = Rejects()
    rejects.add([(3, Reject("THIRD", "because"))])
    rejects.add([(1, Reject("FIRST", 'of "this"')), (2, Reject("SECOND", "中"))])
    assert (rejects.count, rejects.by_code) == (3, {"FIRST": 1, "SECOND": 1, "THIRD": 1})
    rejects.write(path, source)
    expected = 'row,code,reason,a,b\r\n1,FIRST,"of ""this""",1,"x, y"\r\n2,SECOND,中,'.encode()
    assert path.read_bytes() == expected + b"\xff,2\r\n3,THIRD,because,3\r\n"

    # What lies there is always of the last run.
    Rejects().write(path, source)
    assert not path.exists()
