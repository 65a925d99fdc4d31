"""Which person records are one: what the scored pairs say, what people have ruled, and what was decided before."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sintonia.config import IdentityConfig
from sintonia.identity.guards import Bools
from sintonia.identity.linkage import Before, Ints, Linked, Pairs, link_as_known
from sintonia.identity.match import Matches
from sintonia.identity.overrides import Overrides


@dataclass(frozen=True)
class Decided:
    """The merges made and held now, each record's group after them, and the pairs whose merge is held.

    `group` (n_records,) is the place of the group's first record; `held` (n_pairs,) counts earlier builds too.
    """

    linked: Linked
    group: Ints
    held: Bools


def decide(
    persons: pa.Table, matches: Matches, config: IdentityConfig, overrides: Overrides, group: Ints | None
) -> Decided:
    """Return what becomes of the records, the groups of earlier builds standing as they are (None: none do)."""
    implausible = (
        implausible_pairs(matches) if config.hold_implausible else np.zeros(len(matches.pairs), bool)
    )
    pairs = _with_overrides(_pairs(matches, implausible), persons["node"].to_numpy(), overrides)
    least = float(np.log2(config.match_probability / (1 - config.match_probability)))
    arrived_at = persons["arrived_at"].to_numpy()
    held_before: Bools = np.zeros(len(matches.pairs), bool)
    if group is None:
        group, linked = np.arange(len(arrived_at)), link_as_known(arrived_at, pairs, least)
    else:
        known = persons["old"].is_valid().to_numpy()
        old = known[pairs.left] & known[pairs.right]
        linked = link_as_known(arrived_at, pairs.take(~old), least, Before(group, pairs.take(old)))
        if "held" in matches.pairs.column_names:
            held_before = matches.pairs["held"].fill_null(False).to_numpy()
    after = _after(group, linked)
    return Decided(linked, after, _held(matches.pairs, linked, after, held_before))


def implausible_pairs(matches: Matches) -> Bools:
    """Return the pairs that hold two birth dates, or two sexes and two first names: beyond any slip of the pen."""
    last = {one.field: len(one.labels) - 1 for one in matches.compared}

    def differ(field: str) -> Bools:
        if field not in last:
            return np.zeros(len(matches.pairs), bool)
        levels = matches.pairs[f"level_{field}"].to_numpy(zero_copy_only=False).astype(np.float64)
        return np.asarray(levels == last[field])

    return differ("birth_date") | (differ("sex") & differ("first_name"))


def _pairs(matches: Matches, implausible: Bools) -> Pairs:
    left, right = places(matches.pairs)
    weight = matches.pairs["match_weight"].to_numpy()
    return Pairs(np.minimum(left, right), np.maximum(left, right), weight, implausible)


def places(pairs: pa.Table) -> tuple[Ints, Ints]:
    """Return the places of the pairs' two records."""
    left, right = (pairs[side].cast(pa.int64()).to_numpy() for side in ("left", "right"))
    return left, right


def _with_overrides(pairs: Pairs, nodes: Ints, overrides: Overrides) -> Pairs:
    """Return the pairs with those that people have decided, in both senses, between all records of the two."""
    at: dict[int, list[int]] = {}
    named = {node for pair in (*overrides.must, *overrides.cannot) for node in pair}
    for place in np.flatnonzero(np.isin(nodes, list(named))).tolist():
        at.setdefault(int(nodes[place]), []).append(place)
    told = [(pair, np.inf) for pair in overrides.must] + [(pair, -np.inf) for pair in overrides.cannot]
    more = [
        (min(left, right), max(left, right), weight)
        for (one, other), weight in told
        for left in at.get(one, [])
        for right in at.get(other, [])
    ]
    left, right, weight = (np.array([row[column] for row in more]) for column in range(3))
    return Pairs(
        np.append(pairs.left, left.astype(np.int64)),
        np.append(pairs.right, right.astype(np.int64)),
        np.append(pairs.weight, weight.astype(np.float64)),
        np.append(pairs.implausible, np.zeros(len(more), bool)),
    )


def _after(group: Ints, linked: Linked) -> Ints:
    """Return each record's group once the merges are made, as the place of its first record."""
    made = ~linked.held
    left, right = np.append(group, linked.left[made]), np.append(np.arange(len(group)), linked.right[made])
    edges = coo_array((np.ones(len(left)), (left, right)), shape=(len(group), len(group)))
    labels = connected_components(edges, directed=False)[1]
    _, first = np.unique(labels, return_index=True)
    found: Ints = first[labels]
    return found


def _held(pairs: pa.Table, linked: Linked, group: Ints, before: Bools) -> Bools:
    left, right = places(pairs)
    records = len(group)
    keys = np.minimum(left, right) * records + np.maximum(left, right)
    now_held = (np.minimum(linked.left, linked.right) * records + np.maximum(linked.left, linked.right))[
        linked.held
    ]
    held: Bools = (before | np.isin(keys, now_held)) & (group[left] != group[right])
    return held
