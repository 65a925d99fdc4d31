"""What builds decided about identities (`store/<version>/identity`) without a person: a row each, by file."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sintonia.core.arrays import Bools
from sintonia.data.identity.files import standing
from sintonia.data.identity.state import NOBODY
from sintonia.data.privacy.person import DataSubject, field_values, led_by
from sintonia.data.privacy.traces import Traces


@dataclass(frozen=True)
class IdentityTraces:
    """A person in the tables of the folder: identifiers, records, and the (field, value) pairs nobody else has.

    `roots` are the customers, by the number of their first identifier, about whom the next build decides without the
    person: whoever shared an identifier, or was kept from one.
    """

    person: DataSubject
    records: frozenset[str] = frozenset()
    values: frozenset[tuple[str, str]] = frozenset()
    roots: frozenset[int] = frozenset()


def read_decided(folder: Path, person: DataSubject) -> IdentityTraces:
    """Return the person's records, the values of fields that are in no other record, and who is decided anew."""
    path, roots = folder / "records.parquet", _roots(folder, person)
    if not path.is_file():
        return IdentityTraces(person, roots=roots)
    table = _read_active(path)
    theirs = led_by(table, person)
    mine, rest = table.filter(pa.array(theirs)), table.filter(pa.array(~theirs))
    said = field_values(mine)
    others = {
        (name, value)
        for name in {name for name, _ in said}
        for value in rest[name].filter(pc.is_in(rest[name], mine[name].combine_chunks())).to_pylist()
    }
    return IdentityTraces(
        person, frozenset(mine["record_id"].cast(pa.string()).to_pylist()), said - others, roots
    )


def _roots(folder: Path, person: DataSubject) -> frozenset[int]:
    if not (folder / "sightings.parquet").is_file():
        return frozenset()
    ties, nodes = (_read_active(folder / f"{name}.parquet") for name in ("ties", "nodes"))
    refused = ties.filter(pc.invert(ties["holds"]))
    apart = refused.filter(pa.array(_with(refused, _own_or_shared(person), "left", "right")))
    ends = {key.lower() for side in ("left", "right") for key in apart[side].to_pylist()}
    theirs = nodes.filter(pa.array(_with(nodes, frozenset(ends) | _own_or_shared(person), "key")))
    return frozenset(root for root in theirs["root"].to_pylist() if root != NOBODY)


def _with(table: pa.Table, keys: frozenset[str], *columns: str) -> Bools:
    return Traces(columns=dict.fromkeys(columns, keys)).rows(table)


def _own_or_shared(person: DataSubject) -> frozenset[str]:
    """Return the person's identifiers in lower case, shared ones too."""
    return frozenset(
        key.lower() for key in (*person.keys, *(f"{kind}:{value}" for kind, value in person.shared))
    )


def _records(table: pa.Table, decided: IdentityTraces) -> Bools:
    return led_by(table, decided.person)


def _pairs(table: pa.Table, decided: IdentityTraces) -> Bools:
    return Traces(columns={"left": decided.records, "right": decided.records}).rows(table)


def _frequencies(table: pa.Table, decided: IdentityTraces) -> Bools:
    found = np.zeros(table.num_rows, bool)
    for name, value in decided.values:
        same = pc.and_(pc.equal(table["field"], name), pc.equal(table["value"], value))
        found |= same.to_numpy(zero_copy_only=False)
    return found


def _ties(table: pa.Table, decided: IdentityTraces) -> Bools:
    """Return the ties of the person's identifiers, and those it kept others from: they are judged anew."""
    own = frozenset(map(str.lower, decided.person.keys))
    shared = frozenset(f"{kind}:{value}".lower() for kind, value in decided.person.shared)
    holds = np.asarray(table["holds"].to_numpy(), bool)
    refused = Traces(columns={"left": shared, "right": shared}).rows(table) & ~holds
    theirs = Traces(columns={"left": own, "right": own}).rows(table)
    found: Bools = theirs | refused
    return found


def _nodes(table: pa.Table, decided: IdentityTraces) -> Bools:
    return Traces(columns={"key": frozenset(map(str.lower, decided.person.keys))}).rows(table)


def _sightings(table: pa.Table, decided: IdentityTraces) -> Bools:
    """Return the person's sightings, and those of customers who are decided anew: the next build finds them new."""
    ids = frozenset(map(str.lower, decided.person.ids))
    found: Bools = np.isin(table["root"].to_numpy(), list(decided.roots))
    return found | _with(table, ids, "customer_id", "person_id")


def _log(table: pa.Table, decided: IdentityTraces) -> Bools:
    ids = frozenset(map(str.lower, decided.person.ids))
    return Traces(columns={"customer_id": ids, "other_customer_id": ids}).rows(table)


THEIRS: dict[str, Callable[[pa.Table, IdentityTraces], Bools]] = {
    "records": _records,
    "pairs": _pairs,
    "frequencies": _frequencies,
    "ties": _ties,
    "nodes": _nodes,
    "sightings": _sightings,
    "log": _log,
}
"""Which rows of which table are the person's; the other tables (weights, rules) tell of nobody."""


def without(path: Path, decided: IdentityTraces) -> tuple[pa.Table, int]:
    """Return a table of the folder without the person's rows, and how many these are."""
    table = _read_active(path)
    gone = THEIRS[path.stem](table, decided) if path.stem in THEIRS else np.zeros(table.num_rows, bool)
    kept = table.filter(pa.array(~gone))
    return _unnamed(kept, decided.person) if path.stem == "nodes" else kept, int(gone.sum())


def _read_active(path: Path) -> pa.Table:
    """Return a table of the folder as it stands, with what later builds added."""
    with duckdb.connect() as connection:
        return connection.sql(f"FROM {standing(path)}").to_arrow_table()


def _unnamed(nodes: pa.Table, person: DataSubject) -> pa.Table:
    """Return the identifiers left: those that others share belong to nobody, confer no id of the person's, and go
    behind all others.

    The first identifier of a customer confers its id: an identifier that goes on for somebody else must not become
    the first of theirs, or their id would change.
    """
    shared = pa.array([f"{kind}:{value}" for kind, value in person.shared], pa.string())
    behind = pc.is_in(nodes["key"], shared)
    last = pc.max(nodes["node"]).as_py() or 0
    moved = nodes.filter(behind).sort_by("node")
    places = pa.array(range(last + 1, last + 1 + moved.num_rows), pa.int64())
    moved = moved.set_column(nodes.column_names.index("node"), "node", places)
    if "root" in nodes.column_names:
        nobody = pa.array([NOBODY] * moved.num_rows, pa.int64())
        moved = moved.set_column(nodes.column_names.index("root"), "root", nobody)
    stay = nodes.filter(pc.invert(behind)).sort_by("node")
    whole = pa.concat_tables([stay, moved], promote_options="default")
    theirs = pc.is_in(whole["confers"], pa.array(sorted(person.ids), pa.string()))
    fresh = pa.array(
        [f"C{secrets.token_hex(8).upper()}" for _ in range(pc.sum(theirs).as_py() or 0)], pa.string()
    )
    ids = pc.replace_with_mask(whole["confers"].combine_chunks(), theirs.combine_chunks(), fresh)
    return whole.set_column(whole.column_names.index("confers"), "confers", ids)
