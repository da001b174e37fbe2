"""Online Retail: a wholesaler's invoices of a year, and who bought what in its last weeks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.recommendations.evaluating import DataSet, evaluate
from benchmarks.recommendations.judging import Figures, histories
from domain.recommendations import Method

SPLIT_AT: Final = datetime(2011, 10, 1, tzinfo=UTC)
UNTIL: Final = datetime(2011, 12, 10, tzinfo=UTC)
_SPLIT_TEXT: Final = "2011-10-01"
"""The file has its moments as texts, which compare like moments."""

FLOORS: Final[Mapping[tuple[Method, str], float]] = {
    (Method.ITEM_ITEM, "again"): 0.34,
    (Method.EASE, "again"): 0.34,
    (Method.ITEM_ITEM, "discover"): 0.08,
    (Method.EASE, "discover"): 0.11,
}


async def evaluate_online_retail(
    url: str, data: Path, folder: Path, *, every: int = 1
) -> list[Figures]:
    """Both methods on the cleaned file; of each so many members one, where asked for."""
    return await evaluate(url, cleaned(data, folder, every=every), folder)


def cleaned(data: Path, folder: Path, *, every: int = 1) -> DataSet:
    """The lines of members with a price, of codes that begin with five digits: the others are
    postage, samples and fees."""
    from pyarrow import compute, parquet

    table: Any = parquet.read_table(data / "online_retail_uci_positive.parquet")
    customer = compute.cast(compute.fill_null(table["CustomerID"], 0), "int64")
    index = table.column_names.index("CustomerID")
    table = table.set_column(index, "CustomerID", customer)
    wanted = compute.match_substring_regex(table["StockCode"], "^[0-9]{5}")
    wanted = compute.and_(wanted, compute.greater(table["UnitPrice"], 0))
    wanted = compute.and_(wanted, compute.not_equal(customer, 0))
    table = table.filter(wanted)
    if every > 1:
        quotient = compute.divide(table["CustomerID"], every)
        table = table.filter(compute.equal(compute.multiply(quotient, every), table["CustomerID"]))
    early = table.filter(compute.less(table["InvoiceDate"], _SPLIT_TEXT))
    titles = dict(
        zip(table["StockCode"].to_pylist(), table["Description"].to_pylist(), strict=True)
    )
    _write(folder / "products.parquet", StockCode=[*titles], Description=[*titles.values()])
    parquet.write_table(early, folder / "early.parquet")
    parquet.write_table(table, folder / "whole.parquet")
    columns = (table[name].to_pylist() for name in ("CustomerID", "StockCode", "InvoiceDate"))
    lines = ((str(member), code, at) for member, code, at in zip(*columns, strict=True))
    return DataSet(
        name="Online Retail",
        preset="online-retail",
        catalogue=folder / "products.parquet",
        products=len(titles),
        early=folder / "early.parquet",
        whole=folder / "whole.parquet",
        purchases=histories(lines, split_at=_SPLIT_TEXT),
        split_at=SPLIT_AT,
        until=UNTIL,
    )


def _write(path: Path, **columns: list[Any]) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), path)
