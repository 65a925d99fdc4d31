"""Average linkage, whole or as records arrive: which groups of records become one, and since when that is known.

Two groups are one when their pairs match on average; a pair that was not worth keeping speaks against, as
strongly as one pair may speak at all. What arrives later joins groups and never parts them, so what the brand
knew at a date does not depend on what came after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Bools, Floats, Ints

if TYPE_CHECKING:
    from sintonia.data.identity.linkage_kernels import Linkage


MOST_BITS = 10.0
"""What one pair may say for or against, in bits: beyond a thousand to one, weights are the model's vanity."""

_RULED = 1e9


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
    from sintonia.data.identity.linkage_kernels import link_groups

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
    from sintonia.data.identity.linkage_kernels import link_groups

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
    from sintonia.data.identity import linkage_kernels as kernels

    known_at = np.maximum(arrived_at[pairs.left], arrived_at[pairs.right])
    order = np.lexsort((pairs.right, pairs.left, known_at))
    told, known_at = pairs.take(order), known_at[order]
    if before is not None:
        told = before.pairs + told
        known_at = np.concatenate([np.zeros(len(before.pairs.left), np.int64), known_at])
    records, parent = len(arrived_at), np.arange(len(arrived_at)) if before is None else before.group.copy()
    columns = (told.left, told.right, ruled(told.weight), known_at, told.implausible)
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


def ruled(weight: Floats) -> Floats:
    """Return weights within what one pair may say; infinite ones rule, and cannot rules over must."""
    clipped = np.clip(weight, -MOST_BITS, MOST_BITS)
    return np.where(np.isposinf(weight), _RULED / 1e3, np.where(np.isneginf(weight), -_RULED, clipped))
