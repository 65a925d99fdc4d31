"""Clusters of records from scored pairs: two groups become one customer when their records match on average.

Chains of single matches (plain connected components) glue strangers through one bad record. Average linkage
asks all pairs between two groups: a pair that was not worth keeping speaks against, as strongly as the
evidence of one pair may speak at all, so that a bridge of one match between two groups of three does not
hold.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sintonia.errors import InputError
from sintonia.identity.linkage import Floats, Groups, Ints, ruled

if TYPE_CHECKING:
    import pyarrow as pa


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
    weight = ruled(pairs.column("match_weight").to_numpy())
    least = float(np.log2(match_probability / (1 - match_probability)))
    found = _average_linkage(len(ordered), np.minimum(left, right), np.maximum(left, right), weight, least)
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


def _average_linkage(records: int, left: Ints, right: Ints, weight: Floats, least: float) -> Ints:
    """Return each record's cluster as the place of its least record."""
    component = _components(records, left, right, weight >= least)
    near = component[left] == component[right]
    left, right, weight = left[near], right[near], weight[near]
    size = np.bincount(component, minlength=records)
    tied = np.bincount(component[left[weight >= least]], minlength=records)
    settled = tied == size * (size - 1) // 2
    first = np.full(records, records)
    np.minimum.at(first, component, np.arange(records))
    found = np.where(settled[component], first[component], np.arange(records))
    doubtful = np.flatnonzero(~settled[component[left]])
    doubtful = doubtful[np.argsort(component[left[doubtful]], kind="stable")]
    for part in np.split(doubtful, np.flatnonzero(np.diff(component[left[doubtful]])) + 1):
        groups = Groups(least)
        for pair in zip(left[part].tolist(), right[part].tolist(), weight[part].tolist(), strict=True):
            groups.add(*pair)
        for merge in groups.settle():
            found[merge.gone] = merge.kept
    while (found != found[found]).any():
        found = found[found]
    return found


def _components(records: int, left: Ints, right: Ints, ties: NDArray[np.bool_]) -> Ints:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(int(ties.sum())), (left[ties], right[ties])), shape=(records, records))
    labels: Ints = connected_components(edges, directed=False)[1].astype(np.int64)
    return labels
