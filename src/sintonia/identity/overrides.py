"""What people have decided about identities: a file of pairs that must or cannot be one customer."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sintonia.errors import InputError, hint, unknown

COLUMNS = ("left", "right", "decision")
DECISIONS = ("must-link", "cannot-link")


@dataclass(frozen=True)
class Overrides:
    """Pairs of nodes that must and that cannot be one customer, and how many rows name nobody there is."""

    must: Sequence[tuple[int, int]] = ()
    cannot: Sequence[tuple[int, int]] = ()
    unknown: int = 0


def read_overrides(path: Path, nodes: Mapping[str, int]) -> Overrides:
    """Return the decisions of a CSV file with the columns left, right, decision.

    Parameters
    ----------
    path
        `left` and `right` are identifiers with their type, `crm:C17`; `decision` is must-link or cannot-link.
    nodes
        The node of every identifier; rows of others are counted and left alone, for silos come and go.

    Raises
    ------
    InputError
        When the file or a column is missing.
    ConfigError
        When a decision is neither of the two.
    """
    if not path.is_file():
        raise InputError(f"No file '{path}' of overrides; give identity.overrides=FILE or null.")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        rows, columns = list(reader), reader.fieldnames or []
    for column in COLUMNS:
        if column not in columns:
            raise InputError(f"'{path.name}' has no column '{column}'; {hint(column, columns)}")
    found: dict[str, list[tuple[int, int]]] = {decision: [] for decision in DECISIONS}
    for row in rows:
        left, right, decision = ((row[column] or "").strip() for column in COLUMNS)
        if decision.lower() not in found:
            raise unknown(f"decision in '{path.name}':", decision, DECISIONS)
        if left in nodes and right in nodes and left != right:
            one, other = sorted((nodes[left], nodes[right]))
            found[decision.lower()].append((one, other))
    known = sum(map(len, found.values()))
    return Overrides(found["must-link"], found["cannot-link"], len(rows) - known)
