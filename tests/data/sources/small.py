"""A silo of one till, its files typed in the test, mapped and read back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sintonia.core.config import CsvConfig, EngineConfig, SiloConfig
from sintonia.core.engine import connect
from sintonia.data.sources.mapping import DateBounds, Money, map_silo
from sintonia.data.sources.silos import SiloReport

BOUNDS = DateBounds(until=None, today=datetime(2026, 7, 1))
TILL = SiloConfig(
    path="t*.csv",
    identifiers={"card": "card"},
    occurred_at="at",
    interactions={"interaction_id": "id", "kind": "kind", "amount": "amount", "category": "cat"},
    constants={"channel": "store"},
)
HEADER = "id,card,at,kind,amount,cat\n"


@dataclass(frozen=True)
class Mapped:
    """What became of a silo: its report and its rows, stored and rejected."""

    report: SiloReport
    rows: list[dict[str, Any]]

    @property
    def stored(self) -> list[dict[str, Any]]:
        """The rows that keep the contract, in their order."""
        return [row for row in self.rows if row["reason"] is None]

    def column(self, name: str) -> list[Any]:
        """Return a column of the stored rows."""
        return [row[name] for row in self.stored]

    @property
    def reasons(self) -> dict[str, int]:
        """Why rows were rejected, and how many."""
        return dict(self.report.reasons)


def mapped(
    folder: Path,
    files: Mapping[str, str | bytes] | str | bytes,
    silo: SiloConfig = TILL,
    bounds: DateBounds = BOUNDS,
    money: Money | None = None,
    **changes: Any,
) -> Mapped:
    """Return what becomes of a silo whose files have these contents; one file is called t.csv."""
    if isinstance(files, str | bytes):
        files = {"t.csv": files}
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    csv, placeholders = CsvConfig(**changes.pop("csv", {})), changes.pop("placeholders", ())
    with connect(EngineConfig(), folder / "workspace") as connection:
        own = replace(silo, csv=csv, **changes)
        report = map_silo(connection, "t", own, folder, bounds, money, placeholders)
        rows = (
            connection.sql("SELECT * FROM mapped_t ORDER BY _file, _row, reason").to_arrow_table().to_pylist()
        )
    assert report.rows == len([row for row in rows if row["_read"]]) == report.stored + report.rejected
    return Mapped(report, rows)
