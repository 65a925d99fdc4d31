"""Which records and identifiers are one customer: scored pairs, overrides, earlier decisions, ties not allowed.

Records become one by average linkage: two groups are one when their pairs match on average, and a pair that was not
worth keeping counts against them, as strongly as one pair may. Chains of single matches (connected components)
would glue strangers through one bad record. What arrives later joins groups and never parts them, so what was known
at a date does not depend on what came after it.

Ties of identifiers are taken in the order in which they arrived, each judged by what was known then: an identifier
that several people use ties nobody. So the first person who uses a telephone keeps it, and the second is not tied
to the first.

Overrides are a file of pairs that must or cannot be one customer.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.core.errors import InputError, hint, unknown
from sintonia.data.identity.comparing import FieldComparison

if TYPE_CHECKING:
    import pyarrow as pa

    from sintonia.data.identity.kernels import Linkage, Lists, Replay


@dataclass(frozen=True)
class Ties:
    """Ties between nodes, (n_ties,): since when they are known, and whether they rest on a shareable identifier."""

    left: Ints
    right: Ints
    arrived_at: Ints
    shareable: Bools

    def __len__(self) -> int:
        """Return how many."""
        return len(self.left)

    def __add__(self, other: "Ties") -> "Ties":
        """Return both, one after the other."""
        return Ties(
            np.concatenate([self.left, other.left]),
            np.concatenate([self.right, other.right]),
            np.concatenate([self.arrived_at, other.arrived_at]),
            np.concatenate([self.shareable, other.shareable]),
        )

    def take(self, chosen: Bools | Ints) -> "Ties":
        """Return the chosen ones."""
        return Ties(self.left[chosen], self.right[chosen], self.arrived_at[chosen], self.shareable[chosen])


@dataclass(frozen=True)
class Rules:
    """What holds ties back.

    `persons` maps the nodes that are person records naming somebody to their arrival; one customer may unite
    `most` of them by shareable identifiers, those that other ties already made one counting once. `forbidden`
    are pairs of nodes that stay apart.
    """

    persons: dict[int, int]
    most: int
    forbidden: Sequence[tuple[int, int]] = ()


def accepted(n_nodes: int, ties: Ties, rules: Rules, before: Ties | None = None) -> Bools:
    """Return which ties hold, (n_ties,).

    Ties `before`, accepted earlier, stand without being asked. The others are judged by what was known when
    they came: nothing of before is younger than they are, even when they were delivered late.

    Examples
    --------
    Records 0 and 1 name different people who gave one telephone (node 2); a tie known later makes them one.

    >>> days, records = np.array([1, 2, 3]), Rules({0: 1, 1: 2}, most=1)
    >>> ties = Ties(np.array([0, 1, 0]), np.array([2, 2, 1]), days, np.array([True, True, False]))
    >>> accepted(3, ties, records).tolist()
    [True, False, True]
    """
    from sintonia.data.identity.kernels import replay

    order = np.lexsort((ties.right, ties.left, ties.shareable, ties.arrived_at))
    told = ties.take(order) if before is None else before + ties.take(order)
    asked_from = len(told) - len(ties)
    columns = (told.left, told.right, np.maximum.accumulate(told.arrived_at), told.shareable)
    holds = np.empty(len(ties), bool)
    holds[order] = replay(_state(n_nodes, rules), columns, asked_from)[asked_from:]
    return holds


def _state(n_nodes: int, rules: Rules) -> "Replay":
    """Return every node as a customer and a person of its own."""
    from sintonia.data.identity.kernels import Replay

    named_at = np.full(n_nodes, np.iinfo(np.int64).max)
    persons = np.fromiter(rules.persons.keys(), np.int64, len(rules.persons))
    named_at[persons] = np.fromiter(rules.persons.values(), np.int64, len(rules.persons))
    ends = np.array(rules.forbidden, np.int64).ravel()
    return Replay(
        np.arange(n_nodes),
        np.arange(n_nodes),
        named_at,
        _lists(n_nodes, persons, persons, n_nodes),
        _lists(n_nodes, ends, np.arange(len(ends)), len(ends)),
        ends,
        rules.most,
    )


def _lists(n_nodes: int, nodes: Ints, items: Ints, n_items: int) -> "Lists":
    """Return a list of items for every node: those of `items` whose node is the node."""
    from sintonia.data.identity.kernels import Lists

    first, last, after = np.full(n_nodes, -1), np.full(n_nodes, -1), np.full(n_items, -1)
    order = np.argsort(nodes, kind="stable")
    nodes, items = nodes[order], items[order]
    same = nodes[1:] == nodes[:-1]
    after[items[:-1][same]] = items[1:][same]
    starts, ends = np.append(True, ~same)[: len(nodes)], np.append(~same, True)[: len(nodes)]
    first[nodes[starts]], last[nodes[ends]] = items[starts], items[ends]
    return Lists(first, last, after)


MOST_BITS = 10.0
"""What one pair may say for or against, in bits: beyond a thousand to one, weights are the model's vanity."""

_OVERRIDE_BITS = 1e9


@dataclass(frozen=True)
class Pairs:
    """Pairs of records, (n_pairs,): weight in bits (+inf must link, -inf cannot), and whether the two contradict
    each other, so that a merge with such a pair is held for a person to look at.
    """

    left: Ints
    right: Ints
    weight: Floats
    implausible: Bools

    def __add__(self, other: "Pairs") -> "Pairs":
        """Return both, one after the other."""
        return Pairs(
            np.concatenate([self.left, other.left]),
            np.concatenate([self.right, other.right]),
            np.concatenate([self.weight, other.weight]),
            np.concatenate([self.implausible, other.implausible]),
        )

    def take(self, chosen: Bools | Ints) -> "Pairs":
        """Return the chosen ones."""
        return Pairs(self.left[chosen], self.right[chosen], self.weight[chosen], self.implausible[chosen])


@dataclass(frozen=True)
class PreviousGroups:
    """What was decided earlier: the least record of each record's group, (n_records,), itself when it is new,
    and the pairs that were told then. These count in averages, and make nothing one by themselves.
    """

    group: Ints
    pairs: Pairs


@dataclass(frozen=True)
class Linked:
    """Merges of records as they arrive, (n_merges,): the two records that speak most for it, since when it is
    known, its average weight (bits), and whether it was held instead of made.
    """

    left: Ints
    right: Ints
    arrived_at: Ints
    match_weight: Floats
    held: Bools

    def made(self) -> "Linked":
        """Return those that were made."""
        kept = ~self.held
        return Linked(
            self.left[kept], self.right[kept], self.arrived_at[kept], self.match_weight[kept], self.held[kept]
        )


_NONE = np.zeros(0, np.int64)
NO_LINKS = Linked(_NONE, _NONE, _NONE, np.zeros(0), np.zeros(0, bool))
"""No merge at all."""


def link_as_known(
    arrived_at: Ints, pairs: Pairs, least: float, before: PreviousGroups | None = None
) -> Linked:
    """Return the merges of records, batch of arrivals after batch of arrivals.

    Parameters
    ----------
    arrived_at
        When each record arrived, (n_records,); records of one moment are one batch.
    pairs
        The pairs worth keeping; the others speak against.
    least
        Least average weight at which two groups are one.
    before
        What was decided earlier and stands; `pairs` are then those with a new record, and the merges are those
        that the new ones cause, known since the last of their evidence.

    Examples
    --------
    The third record speaks for both of the others, who did not match well enough; it arrives on day 9.

    >>> pairs = Pairs(np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([-1.0, 9.0, 9.0]), np.zeros(3, bool))
    >>> found = link_as_known(np.array([1, 2, 9]), pairs, least=0.0)
    >>> found.left.tolist(), found.right.tolist(), found.arrived_at.tolist()
    ([0, 1], [2, 2], [9, 9])

    The same in two steps.

    >>> early = pairs.take(np.array([True, False, False]))
    >>> late = pairs.take(np.array([False, True, True]))
    >>> link_as_known(np.array([1, 2]), early, least=0.0).left.tolist()
    []
    >>> link_as_known(np.array([1, 2, 9]), late, 0.0, PreviousGroups(np.arange(3), early)).arrived_at.tolist()
    [9, 9]
    """
    from sintonia.data.identity.kernels import link_groups

    told, linkage = _prepared(arrived_at, pairs, least, before)
    pair, known_at, bits, held = link_groups(linkage, len(told.left) - len(pairs.left))
    return Linked(told.left[pair], told.right[pair], known_at, bits, held)


def link_around(arrived_at: Ints, pairs: Pairs, least: float, before: PreviousGroups) -> Linked:
    """Return what `link_as_known` does, from the pairs around the groups that the new pairs can reach alone.

    Only a group with a new pair, or one that a merge made larger, is asked anew: of the earlier pairs those count
    that touch such groups. A merge that takes in a group whose pairs were left out is taken back, and asked again
    with them.

    Examples
    --------
    Record 4 joins 0, and both together match 1, whose pair with 0 alone fell short; 2 and 3 are not asked.

    >>> told = Pairs(np.array([0, 2]), np.array([1, 3]), np.array([-1.0, -1.0]), np.zeros(2, bool))
    >>> new = Pairs(np.array([0, 1]), np.array([4, 4]), np.array([9.0, 8.0]), np.zeros(2, bool))
    >>> found = link_around(np.array([1, 1, 1, 1, 9]), new, 0.0, PreviousGroups(np.arange(5), told))
    >>> found.left.tolist(), found.right.tolist()
    ([0, 1], [4, 4])
    """
    group, old = before.group, before.pairs
    left, right = group[old.left], group[old.right]
    asked = np.zeros(len(group), bool)
    reached = np.append(group[pairs.left], group[pairs.right])
    while True:
        asked[reached] = True
        near = PreviousGroups(group, old.take(asked[left] | asked[right]))
        linked = link_as_known(arrived_at, pairs, least, near)
        reached = np.append(group[linked.left], group[linked.right])[np.tile(~linked.held, 2)]
        if asked[reached].all():
            return linked


def average_linkage(records: int, pairs: Pairs, least: float) -> Ints:
    """Return the least record of each record's group, (n_records,), when all records arrive at once.

    Examples
    --------
    >>> pairs = Pairs(np.array([1, 2]), np.array([2, 3]), np.array([9.0, 8.0]), np.zeros(2, bool))
    >>> average_linkage(4, pairs, least=0.0).tolist()
    [0, 1, 1, 3]
    """
    from sintonia.data.identity.kernels import link_groups

    _, linkage = _prepared(np.zeros(records, np.int64), pairs, least, None)
    link_groups(linkage, 0)
    return _flat(linkage.records["parent"])


def _flat(parent: Ints) -> Ints:
    while ((above := parent[parent]) != parent).any():
        parent = above
    return parent


def _prepared(
    arrived_at: Ints, pairs: Pairs, least: float, before: PreviousGroups | None
) -> tuple[Pairs, "Linkage"]:
    """Return the pairs in the order in which they are told, those of before first, and room for their edges."""
    from sintonia.data.identity import kernels

    known_at = np.maximum(arrived_at[pairs.left], arrived_at[pairs.right])
    order = np.lexsort((pairs.right, pairs.left, known_at))
    told, known_at = pairs.take(order), known_at[order]
    if before is not None:
        told = before.pairs + told
        known_at = np.concatenate([np.zeros(len(before.pairs.left), np.int64), known_at])
    records, parent = len(arrived_at), np.arange(len(arrived_at)) if before is None else before.group.copy()
    columns = (told.left, told.right, bound_weights(told.weight), known_at, told.implausible)
    groups = (arrived_at, parent, np.bincount(parent, minlength=records), np.full(records, -1))
    n_pairs = len(known_at)
    return told, kernels.Linkage(
        _packed(kernels.TOLD, columns),
        _packed(kernels.RECORDS, groups),
        np.zeros(n_pairs, kernels.EDGES),
        np.zeros(2 * n_pairs, kernels.HALVES),
        np.full(1 << (2 * n_pairs + 1).bit_length(), -1, np.int32),
        np.zeros(2, np.int64),
        least,
        MOST_BITS,
    )


def _packed(kind: np.dtype[np.void], columns: Sequence[NDArray[Any]]) -> NDArray[np.void]:
    """Return the columns as records, for a loop that jumps about finds all of one in one place."""
    packed = np.empty(len(columns[0]), kind)
    for name, column in zip(kind.names or (), columns, strict=True):
        packed[name] = column
    return packed


def bound_weights(weight: Floats) -> Floats:
    """Return weights bounded to what one pair can contribute; infinite ones outweigh all, cannot-link must-link."""
    clipped = np.clip(weight, -MOST_BITS, MOST_BITS)
    return np.where(
        np.isposinf(weight), _OVERRIDE_BITS / 1e3, np.where(np.isneginf(weight), -_OVERRIDE_BITS, clipped)
    )


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


def decide(
    records: GroupedRecords, pairs: Pairs, linked_before: Bools, overridden: Pairs, least: float
) -> GroupDecision:
    """Return the groups of the records after a build; groups of earlier builds stay as they are.

    Parameters
    ----------
    pairs
        All scored pairs, of earlier builds and new.
    linked_before
        Whether an earlier build merged the two records, (n_pairs,).
    overridden
        Pairs that people decided on, as `override_pairs` gives it.
    least
        Least average weight, in bits, at which groups are one.
    """
    weighted, known = pairs + overridden, records.known
    if known.any():
        old = known[weighted.left] & known[weighted.right]
        before = PreviousGroups(records.group, weighted.take(old))
        linked = link_around(records.arrived_at, weighted.take(~old), least, before)
    else:
        linked = link_as_known(records.arrived_at, weighted, least)
    group = _after(records.group, linked)
    return GroupDecision(linked, group, _held(pairs, linked, group, linked_before))


def implausible_pairs(pairs: pa.Table, compared: Sequence[FieldComparison]) -> Bools:
    """Return the pairs that hold two birth dates, or two sexes and two first names: beyond any slip of the pen."""
    last = {one.field: len(one.labels) - 1 for one in compared}

    def differ(field: str) -> Bools:
        if field not in last or f"level_{field}" not in pairs.column_names:
            return np.zeros(len(pairs), bool)
        levels = pairs[f"level_{field}"].to_numpy(zero_copy_only=False).astype(np.float64)
        return np.asarray(levels == last[field])

    return differ("birth_date") | (differ("sex") & differ("first_name"))


def override_pairs(overrides: Overrides, records: Mapping[str, Sequence[int]]) -> Pairs:
    """Return the pairs that people have decided, in both senses, between all `records` of the two identifiers."""
    decisions = [(pair, np.inf) for pair in overrides.must] + [(pair, -np.inf) for pair in overrides.cannot]
    rows = [
        (min(left, right), max(left, right), weight)
        for (first_key, second_key), weight in decisions
        for left in records.get(first_key, ())
        for right in records.get(second_key, ())
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


def cluster(
    record_ids: "pa.Array | pa.ChunkedArray", pairs: "pa.Table", match_probability: float = 0.5
) -> "pa.Table":
    """Return one row per record, in the order given: `record_id` and `cluster`, the least id in its cluster.

    Parameters
    ----------
    record_ids
        All records, those without a pair included.
    pairs
        `left, right, match_weight` (bits), as `match_pairs` gives them; a weight of +inf must link and -inf
        cannot link, and cannot wins.
    match_probability
        Least probability, from the average weight between two groups, at which they are one.

    Raises
    ------
    InputError
        When a pair names a record that is not among the records.

    Examples
    --------
    A bridge between two pairs does not hold, a third record that matches both of a pair does.

    >>> import pyarrow as pa
    >>> pairs = pa.table({"left": ["a", "c", "b", "e", "e"], "right": ["b", "d", "c", "c", "d"],
    ...                   "match_weight": [9.0, 9.0, 3.0, 4.0, 5.0]})
    >>> cluster(pa.array(["a", "b", "c", "d", "e"]), pairs)["cluster"].to_pylist()
    ['a', 'a', 'c', 'c', 'c']
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = record_ids.combine_chunks() if isinstance(record_ids, pa.ChunkedArray) else record_ids
    ids = ids.cast(pa.string())
    ordered = ids.take(pc.sort_indices(ids))
    left, right = (_places(pairs.column(side), ordered) for side in ("left", "right"))
    least = float(np.log2(match_probability / (1 - match_probability)))
    weight = pairs.column("match_weight").to_numpy()
    told = Pairs(np.minimum(left, right), np.maximum(left, right), weight, np.zeros(len(left), bool))
    found = average_linkage(len(ordered), told, least)
    names = ordered.take(pa.array(found))
    return pa.table({"record_id": ids, "cluster": names.take(pc.index_in(ids, ordered))})


def _places(side: "pa.ChunkedArray", ordered: "pa.Array") -> Ints:
    import pyarrow as pa
    import pyarrow.compute as pc

    places = pc.index_in(side.cast(pa.string()), ordered)
    if places.null_count:
        raise InputError(
            f"{places.null_count} pairs name a record that is not among the {len(ordered)} records."
        )
    found: Ints = places.to_numpy().astype(np.int64)
    return found
