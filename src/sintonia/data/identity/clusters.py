"""Clusters of records from scored pairs: two groups become one customer when their records match on average.

Chains of single matches (plain connected components) glue strangers through one bad record. Average linkage
asks all pairs between two groups: a pair that was not worth keeping speaks against, as strongly as the
evidence of one pair may speak at all, so that a bridge of one match between two groups of three does not
hold.
"""

from typing import TYPE_CHECKING

import numpy as np

from sintonia.core.arrays import Ints
from sintonia.core.errors import InputError
from sintonia.data.identity.linkage import Pairs, average_linkage

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
