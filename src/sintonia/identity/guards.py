"""Ties that must not be: an identifier that several people use glues nobody, and what is forbidden stays apart.

Ties are taken in the order in which they arrived, each judged by what was known then: a tie refused or taken
stays so, whatever comes later. So the first person who uses a telephone keeps it, and the second is not glued
to the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


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

    def take(self, places: Ints) -> "Ties":
        """Return the ties at these places."""
        return Ties(self.left[places], self.right[places], self.arrived_at[places], self.shareable[places])


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

    Examples
    --------
    Records 0 and 1 name different people who gave one telephone (node 2); a tie known later makes them one.

    >>> days, records = np.array([1, 2, 3]), Rules({0: 1, 1: 2}, most=1)
    >>> ties = Ties(np.array([0, 1, 0]), np.array([2, 2, 1]), days, np.array([True, True, False]))
    >>> accepted(3, ties, records).tolist()
    [True, False, True]
    """
    holds = np.ones(len(ties), bool)
    doubtful = np.flatnonzero(_contested(n_nodes, ties, rules))
    order = doubtful[
        np.lexsort(
            (ties.right[doubtful], ties.left[doubtful], ties.shareable[doubtful], ties.arrived_at[doubtful])
        )
    ]
    replay = _Replay(rules)
    columns = (order, ties.left[order], ties.right[order], ties.arrived_at[order], ties.shareable[order])
    for place, left, right, arrived_at, shareable in zip(*(c.tolist() for c in columns), strict=True):
        holds[place] = replay.takes(left, right, arrived_at, shareable)
    return holds


def _contested(n_nodes: int, ties: Ties, rules: Rules) -> Bools:
    """Return the ties of components in which a rule could speak: two person records, or a forbidden pair."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(ties)), (ties.left, ties.right)), shape=(n_nodes, n_nodes))
    component = connected_components(edges, directed=False)[1]
    persons = np.bincount(component[np.array(list(rules.persons), np.int64)], minlength=n_nodes)
    several = persons > rules.most
    several[component[np.array(rules.forbidden, np.int64).ravel()]] = True
    contested: Bools = several[component[ties.left]]
    return contested


class _Replay:
    """Customers and persons as ties arrive: a customer is what all ties unite, a person what sure ones do."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._customer: dict[int, int] = {}
        self._person: dict[int, int] = {}
        self._persons: dict[int, set[int]] = {}

    def takes(self, left: int, right: int, arrived_at: int, shareable: bool) -> bool:
        """Return whether the tie holds, and unite what it ties if it does."""
        one, other = _root(self._customer, left), _root(self._customer, right)
        if one != other and (self._forbids(one, other) or (shareable and self._many(one, other, arrived_at))):
            return False
        if one != other:
            self._persons[one] = self._of(one) | self._persons.pop(other, {other})
            self._customer[other] = one
        if not shareable:
            self._person[_root(self._person, right)] = _root(self._person, left)
        return True

    def _of(self, customer: int) -> set[int]:
        return self._persons.get(customer, {customer})

    def _many(self, one: int, other: int, arrived_at: int) -> bool:
        """Return whether the two would unite too many persons named by then; nobody new is never too many."""
        both = [self._named(customer, arrived_at) for customer in (one, other)]
        return all(both) and len(both[0] | both[1]) > self._rules.most

    def _named(self, customer: int, arrived_at: int) -> set[int]:
        known = self._rules.persons
        named = (node for node in self._of(customer) if known.get(node, arrived_at + 1) <= arrived_at)
        return {_root(self._person, node) for node in named}

    def _forbids(self, one: int, other: int) -> bool:
        pairs = ({_root(self._customer, a), _root(self._customer, b)} for a, b in self._rules.forbidden)
        return {one, other} in pairs


def _root(parent: dict[int, int], node: int) -> int:
    while (above := parent.get(node, node)) != node:
        parent[node] = parent.get(above, above)
        node = above
    return node
