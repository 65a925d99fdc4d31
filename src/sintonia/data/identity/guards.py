"""Ties that must not be: an identifier that several people use glues nobody, and what is forbidden stays apart.

Ties are taken in the order in which they arrived, each judged by what was known then: a tie refused or taken
stays so, whatever comes later. So the first person who uses a telephone keeps it, and the second is not glued
to the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sintonia.core.arrays import Bools, Ints

if TYPE_CHECKING:
    from sintonia.data.identity.union_kernels import Lists, Replay


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
    from sintonia.data.identity.union_kernels import replay

    order = np.lexsort((ties.right, ties.left, ties.shareable, ties.arrived_at))
    told = ties.take(order) if before is None else before + ties.take(order)
    asked_from = len(told) - len(ties)
    columns = (told.left, told.right, np.maximum.accumulate(told.arrived_at), told.shareable)
    holds = np.empty(len(ties), bool)
    holds[order] = replay(_state(n_nodes, rules), columns, asked_from)[asked_from:]
    return holds


def _state(n_nodes: int, rules: Rules) -> "Replay":
    """Return every node as a customer and a person of its own."""
    from sintonia.data.identity.union_kernels import Replay

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
    from sintonia.data.identity.union_kernels import Lists

    first, last, after = np.full(n_nodes, -1), np.full(n_nodes, -1), np.full(n_items, -1)
    order = np.argsort(nodes, kind="stable")
    nodes, items = nodes[order], items[order]
    same = nodes[1:] == nodes[:-1]
    after[items[:-1][same]] = items[1:][same]
    starts, ends = np.append(True, ~same)[: len(nodes)], np.append(~same, True)[: len(nodes)]
    first[nodes[starts]], last[nodes[ends]] = items[starts], items[ends]
    return Lists(first, last, after)
