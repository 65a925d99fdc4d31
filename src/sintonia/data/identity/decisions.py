"""Which person records are one: what the scored pairs say, what people have ruled, and what was decided before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sintonia.core.arrays import Bools, Ints
from sintonia.data.identity.comparisons import FieldComparison
from sintonia.data.identity.linkage import Linked, Pairs, PreviousGroups, link_around, link_as_known
from sintonia.data.identity.overrides import Overrides


@dataclass(frozen=True)
class GroupedRecords:
    """Person records by their number, (n_records,): arrival, the group of earlier builds, and whether it stands.

    A group is the number of its first record; a record whose group does not stand (a new one) is its own.
    """

    arrived_at: Ints
    group: Ints
    known: Bools


@dataclass(frozen=True)
class GroupDecision:
    """The merges made and held now, each record's group after them, and the pairs whose merge is held.

    `group` (n_records,) is the number of the group's first record; `held` (n_pairs,) counts earlier builds too.
    """

    linked: Linked
    group: Ints
    held: Bools


def decide(records: GroupedRecords, pairs: Pairs, held: Bools, ruled: Pairs, least: float) -> GroupDecision:
    """Return what becomes of the records, groups that stand staying as they are.

    Parameters
    ----------
    pairs
        All scored pairs, of earlier builds and new.
    held
        Of which an earlier build held the merge, and said so, (n_pairs,).
    ruled
        What people decided, as `ruled_pairs` gives it.
    least
        Least average weight, in bits, at which groups are one.
    """
    told, known = pairs + ruled, records.known
    if known.any():
        old = known[told.left] & known[told.right]
        before = PreviousGroups(records.group, told.take(old))
        linked = link_around(records.arrived_at, told.take(~old), least, before)
    else:
        linked = link_as_known(records.arrived_at, told, least)
    group = _after(records.group, linked)
    return GroupDecision(linked, group, _held(pairs, linked, group, held))


def implausible_pairs(pairs: pa.Table, compared: Sequence[FieldComparison]) -> Bools:
    """Return the pairs that hold two birth dates, or two sexes and two first names: beyond any slip of the pen."""
    last = {one.field: len(one.labels) - 1 for one in compared}

    def differ(field: str) -> Bools:
        if field not in last or f"level_{field}" not in pairs.column_names:
            return np.zeros(len(pairs), bool)
        levels = pairs[f"level_{field}"].to_numpy(zero_copy_only=False).astype(np.float64)
        return np.asarray(levels == last[field])

    return differ("birth_date") | (differ("sex") & differ("first_name"))


def ruled_pairs(overrides: Overrides, records: Mapping[str, Sequence[int]]) -> Pairs:
    """Return the pairs that people have decided, in both senses, between all `records` of the two identifiers."""
    told = [(pair, np.inf) for pair in overrides.must] + [(pair, -np.inf) for pair in overrides.cannot]
    rows = [
        (min(left, right), max(left, right), weight)
        for (one, other), weight in told
        for left in records.get(one, ())
        for right in records.get(other, ())
    ]
    left, right, weight = (np.array([row[column] for row in rows]) for column in range(3))
    return Pairs(
        left.astype(np.int64), right.astype(np.int64), weight.astype(np.float64), np.zeros(len(rows), bool)
    )


def _after(group: Ints, linked: Linked) -> Ints:
    """Return each record's group once the merges are made, as the number of its first record."""
    made = ~linked.held
    left, right = np.append(group, linked.left[made]), np.append(np.arange(len(group)), linked.right[made])
    edges = coo_array((np.ones(len(left)), (left, right)), shape=(len(group), len(group)))
    labels = connected_components(edges, directed=False)[1]
    _, first = np.unique(labels, return_index=True)
    found: Ints = first[labels]
    return found


def _held(pairs: Pairs, linked: Linked, group: Ints, before: Bools) -> Bools:
    records = len(group)
    now_held = np.minimum(linked.left, linked.right) * records + np.maximum(linked.left, linked.right)
    held = before | np.isin(pairs.left * records + pairs.right, now_held[linked.held])
    apart: Bools = held & (group[pairs.left] != group[pairs.right])
    return apart
