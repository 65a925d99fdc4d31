"""What builds decided about identities (`store/<version>/identity`) without a person: a row each, by file."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sintonia.erasure.person import Person, field_values, led_by
from sintonia.erasure.traces import Bools, Traces


@dataclass(frozen=True)
class Decided:
    """A person in the tables of the folder: identifiers, records, and the (field, value) pairs nobody else has."""

    person: Person
    records: frozenset[str]
    values: frozenset[tuple[str, str]]


def read_decided(folder: Path, person: Person) -> Decided:
    """Return the person's records and the values of fields that are in no other record."""
    path = folder / "records.parquet"
    if not path.is_file():
        return Decided(person, frozenset(), frozenset())
    table = pq.read_table(path)
    theirs = led_by(table, person)
    values = field_values(table.filter(pa.array(theirs))) - field_values(table.filter(pa.array(~theirs)))
    return Decided(person, frozenset(table.filter(pa.array(theirs))["record_id"].to_pylist()), values)


def _records(table: pa.Table, decided: Decided) -> Bools:
    return led_by(table, decided.person)


def _pairs(table: pa.Table, decided: Decided) -> Bools:
    return Traces(columns={"left": decided.records, "right": decided.records}).rows(table)


def _frequencies(table: pa.Table, decided: Decided) -> Bools:
    pairs = zip(table["field"].to_pylist(), table["value"].to_pylist(), strict=True)
    return np.array([pair in decided.values for pair in pairs], bool)


def _ties(table: pa.Table, decided: Decided) -> Bools:
    """Return the ties of the person's identifiers, and those it kept others from: they are judged anew."""
    own = frozenset(map(str.lower, decided.person.keys))
    shared = frozenset(f"{kind}:{value}".lower() for kind, value in decided.person.shared)
    holds = np.asarray(table["holds"].to_numpy(), bool)
    refused = Traces(columns={"left": shared, "right": shared}).rows(table) & ~holds
    theirs = Traces(columns={"left": own, "right": own}).rows(table)
    found: Bools = theirs | refused
    return found


def _nodes(table: pa.Table, decided: Decided) -> Bools:
    return Traces(columns={"key": frozenset(map(str.lower, decided.person.keys))}).rows(table)


def _log(table: pa.Table, decided: Decided) -> Bools:
    ids = frozenset(map(str.lower, decided.person.ids))
    return Traces(columns={"customer_id": ids, "other_customer_id": ids}).rows(table)


THEIRS: dict[str, Callable[[pa.Table, Decided], Bools]] = {
    "records": _records,
    "pairs": _pairs,
    "frequencies": _frequencies,
    "ties": _ties,
    "nodes": _nodes,
    "log": _log,
}
"""Which rows of which table are the person's; the other tables (weights, rules) tell of nobody."""


def without(path: Path, decided: Decided) -> tuple[pa.Table, int]:
    """Return a table of the folder without the person's rows, and how many these are."""
    table = pq.read_table(path)
    gone = THEIRS[path.stem](table, decided) if path.stem in THEIRS else np.zeros(table.num_rows, bool)
    kept = table.filter(pa.array(~gone))
    return _unnamed(kept, decided.person) if path.stem == "nodes" else kept, int(gone.sum())


def _unnamed(nodes: pa.Table, person: Person) -> pa.Table:
    """Return the identifiers left: those that others share confer no id of the person's, and go behind all others.

    The first identifier of a customer confers its id: an identifier that goes on for somebody else must not become
    the first of theirs, or their id would change.
    """
    shared = {f"{kind}:{value}" for kind, value in person.shared}
    rows = sorted(nodes.to_pylist(), key=lambda row: (row["key"] in shared, row["node"]))
    last = max((row["node"] for row in rows), default=0)
    moved = [row["key"] in shared for row in rows]
    for place, (row, behind) in enumerate(zip(rows, moved, strict=True), start=1):
        row["node"] = last + place if behind else row["node"]
        row["confers"] = (
            f"C{secrets.token_hex(8).upper()}" if row["confers"] in person.ids else row["confers"]
        )
    return pa.Table.from_pylist(rows, schema=nodes.schema)
