"""The group `layout`: what is sent of a scored list."""

from dataclasses import dataclass, field

from sintonia.config.rules import one_of


@dataclass(frozen=True)
class LayoutConfig:
    """Send files of a scored list: `columns` of it with their names there, in this order; none without columns.

    `statuses` are those of the rows that are sent, `by` the column of which every value has a file of its own.
    """

    name: str = "none"
    columns: dict[str, str] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=lambda: ["scored"])
    by: str | None = None
    ending: str = "csv"

    def __post_init__(self) -> None:
        """Refuse a format nobody writes."""
        one_of("layout.ending", self.ending, ("csv", "tsv", "xlsx", "parquet", "jsonl"))
