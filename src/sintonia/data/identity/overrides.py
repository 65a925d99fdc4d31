"""What people have decided about identities: a file of pairs that must or cannot be one customer."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sintonia.core.errors import InputError, hint, unknown

OVERRIDE_COLUMNS = ("left", "right", "decision")
DECISIONS = ("must-link", "cannot-link")


@dataclass(frozen=True)
class Overrides:
    """Pairs of identifiers, `type:value`, that must and that cannot be one customer."""

    must: Sequence[tuple[str, str]] = ()
    cannot: Sequence[tuple[str, str]] = ()

    @property
    def keys(self) -> list[str]:
        """All identifiers named, each once and in order."""
        return sorted({key for pair in (*self.must, *self.cannot) for key in pair})

    def among(self, nodes: Mapping[str, int]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return the pairs that must and that cannot as nodes, those left out of which one is not there."""
        must, cannot = (
            [(nodes[one], nodes[other]) for one, other in pairs if one in nodes and other in nodes]
            for pairs in (self.must, self.cannot)
        )
        return must, cannot


def find_overrides(given: str | None) -> Overrides:
    """Return the decisions of a CSV file with the columns left, right, decision; none without a file.

    `left` and `right` are identifiers with their type, `crm:C17`; `decision` is must-link or cannot-link.

    Raises
    ------
    InputError
        When the file or a column is missing.
    ConfigError
        When a decision is neither of the two.
    """
    if given is None:
        return Overrides()
    path = Path(given)
    if not path.is_file():
        raise InputError(f"No file '{path}' of overrides; give identity.overrides=FILE or null.")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        rows, columns = list(reader), reader.fieldnames or []
    for column in OVERRIDE_COLUMNS:
        if column not in columns:
            raise InputError(f"'{path.name}' has no column '{column}'; {hint(column, columns)}")
    found: dict[str, list[tuple[str, str]]] = {decision: [] for decision in DECISIONS}
    for row in rows:
        left, right, decision = ((row[column] or "").strip() for column in OVERRIDE_COLUMNS)
        if decision.lower() not in found:
            raise unknown(f"decision in '{path.name}':", decision, DECISIONS)
        if left != right:
            found[decision.lower()].append((left, right))
    return Overrides(found["must-link"], found["cannot-link"])
