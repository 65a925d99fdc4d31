"""Average linkage, whole or as records arrive: which groups of records become one, and since when that is known.

Two groups are one when their pairs match on average; a pair that was not worth keeping speaks against, as
strongly as one pair may speak at all. What arrives later joins groups and never parts them, so what the brand
knew at a date does not depend on what came after it.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST_BITS = 10.0
"""What one pair may say for or against, in bits: beyond a thousand to one, weights are the model's vanity."""

_RULED = 1e9


@dataclass(frozen=True)
class Merge:
    """Two groups, each named by its least record, and the average weight (bits) that makes them one.

    `left` and `right` are the two records that speak most for it. A merge that is `held` was not made.
    """

    kept: int
    gone: int
    left: int
    right: int
    match_weight: float
    held: bool


@dataclass(frozen=True)
class _Between:
    """What the pairs kept between two groups say together, and which of them says most."""

    bits: float
    pairs: int
    implausible: bool
    best: tuple[float, int, int]

    def __add__(self, other: "_Between") -> "_Between":
        return _Between(
            self.bits + other.bits,
            self.pairs + other.pairs,
            self.implausible or other.implausible,
            max(self.best, other.best),
        )


class Groups:
    """Groups of records that grow by pairs added and settled, again and again.

    Heap entries of groups that have changed since they were offered are stale and skipped.

    Examples
    --------
    >>> groups = Groups(least=0.0)
    >>> groups.add(1, 2, 9.0)
    >>> groups.add(2, 3, 8.0)
    >>> [(merge.kept, merge.gone, merge.match_weight) for merge in groups.settle()]
    [(1, 2, 9.0)]
    """

    def __init__(self, least: float) -> None:
        self._least = least
        self._between: dict[int, dict[int, _Between]] = {}
        self._size: dict[int, int] = {}
        self._parent: dict[int, int] = {}
        self._heap: list[tuple[float, int, int, int, int]] = []
        self._held: set[tuple[int, int]] = set()
        self._touched: dict[tuple[int, int], None] = {}

    def group(self, record: int) -> int:
        """Return the least record of the record's group."""
        while (parent := self._parent.get(record, record)) != record:
            record = parent
        return record

    def add(self, left: int, right: int, weight: float, implausible: bool = False) -> None:
        """Take note of one more pair of records; `settle` draws the conclusions."""
        one, other = sorted((self.group(left), self.group(right)))
        for group in (one, other):
            self._size.setdefault(group, 1)
        if one == other:
            return
        found = _Between(weight, 1, implausible, (weight, -left, -right))
        before = self._between.get(one, {}).get(other)
        self._set(one, other, before + found if before else found)
        self._touched[one, other] = None

    def settle(self) -> Iterator[Merge]:
        """Yield the merges that have become due, strongest average first, the implausible ones as held."""
        for one, other in self._touched:
            self._offer(one, other)
        self._touched.clear()
        while self._heap:
            negative, one, other, *sizes = heapq.heappop(self._heap)
            if [self._size.get(one), self._size.get(other)] != sizes:
                continue
            found = self._between[one][other]
            due = Merge(one, other, -found.best[1], -found.best[2], -negative, found.implausible)
            if not found.implausible:
                self._merge(one, other)
                yield due
            elif (one, other) not in self._held:
                self._held.add((one, other))
                yield due

    def _set(self, one: int, other: int, found: _Between) -> None:
        self._between.setdefault(one, {})[other] = self._between.setdefault(other, {})[one] = found

    def _offer(self, one: int, other: int) -> None:
        one, other = min(one, other), max(one, other)
        found = self._between[one][other]
        pairs = self._size[one] * self._size[other]
        average = (found.bits - MOST_BITS * (pairs - found.pairs)) / pairs
        if average >= self._least:
            heapq.heappush(self._heap, (-average, one, other, self._size[one], self._size[other]))

    def _merge(self, one: int, other: int) -> None:
        self._parent[other] = one
        self._size[one] += self._size.pop(other)
        del self._between[one][other]
        for third, found in self._between.pop(other).items():
            if third == one:
                continue
            before = self._between[one].get(third)
            self._set(one, third, before + found if before else found)
            del self._between[third][other]
        for third in self._between[one]:
            self._offer(one, third)


@dataclass(frozen=True)
class Pairs:
    """Pairs of records, (n_pairs,): weight in bits (+inf must link, -inf cannot), and whether the two contradict
    each other, so that a merge with such a pair is held for a person to look at.
    """

    left: Ints
    right: Ints
    weight: Floats
    implausible: Bools

    def take(self, chosen: Bools) -> "Pairs":
        """Return the chosen pairs."""
        return Pairs(self.left[chosen], self.right[chosen], self.weight[chosen], self.implausible[chosen])


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


@dataclass(frozen=True)
class Before:
    """What was decided before: each record's group by its least record, and the pairs it was decided upon."""

    group: Ints
    pairs: Pairs


def link_as_known(arrived_at: Ints, pairs: Pairs, least: float, before: Before | None = None) -> Linked:
    """Return the merges of records, batch of arrivals after batch of arrivals.

    Parameters
    ----------
    arrived_at
        When each record arrived, (n_records,); records of one moment are one batch.
    pairs
        The pairs worth keeping; the others speak against.
    least
        Least average weight at which two groups are one.

    Examples
    --------
    The third record speaks for both of the others, who did not match well enough; it arrives on day 9.

    >>> pairs = Pairs(np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([-1.0, 9.0, 9.0]), np.zeros(3, bool))
    >>> found = link_as_known(np.array([1, 2, 9]), pairs, least=0.0)
    >>> found.left.tolist(), found.right.tolist(), found.arrived_at.tolist()
    ([0, 1], [2, 2], [9, 9])
    """
    known_at = np.maximum(arrived_at[pairs.left], arrived_at[pairs.right])
    order = np.lexsort((pairs.right, pairs.left, known_at))
    bits = ruled(pairs.weight)
    groups, rows = Groups(least), []
    for batch in np.split(order, np.flatnonzero(np.diff(known_at[order])) + 1) if len(order) else ():
        told = (column[batch].tolist() for column in (pairs.left, pairs.right, bits, pairs.implausible))
        for pair in zip(*told, strict=True):
            groups.add(*pair)
        known = int(known_at[batch[0]])
        rows += [(due.left, due.right, known, due.match_weight, due.held) for due in groups.settle()]
    columns = list(zip(*rows, strict=True)) or [()] * 5
    return Linked(
        np.array(columns[0], np.int64),
        np.array(columns[1], np.int64),
        np.array(columns[2], np.int64),
        np.array(columns[3], np.float64),
        np.array(columns[4], np.bool_),
    )


def ruled(weight: Floats) -> Floats:
    """Return weights within what one pair may say; infinite ones rule, and cannot rules over must."""
    clipped = np.clip(weight, -MOST_BITS, MOST_BITS)
    return np.where(np.isposinf(weight), _RULED / 1e3, np.where(np.isneginf(weight), -_RULED, clipped))
