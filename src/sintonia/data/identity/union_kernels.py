"""Compiled loops over ties: which of them the rules let pass, and whose each identifier was as they arrived."""

from typing import NamedTuple

import numpy as np

from sintonia.core.arrays import Array
from sintonia.core.jit import compiled


class Lists(NamedTuple):
    """Lists of items, one a customer, that join at no cost: first and last by customer, next by item, -1 none."""

    first: Array
    last: Array
    after: Array


class Replay(NamedTuple):
    """Customers (what all ties unite) and persons (what sure ties do), by node, and what the rules ask about.

    `named` lists the customer's nodes that name a person, from `named_at` on; `barred` its halves of forbidden
    pairs, halves 2k and 2k + 1 belonging to the two nodes of pair k, which `ends` holds.
    """

    customer: Array
    person: Array
    named_at: Array
    named: Lists
    barred: Lists
    ends: Array
    most: int


@compiled()
def replay(state: Replay, ties: tuple[Array, Array, Array, Array], before: int) -> Array:
    """Return whether each tie (left, right, arrived_at, shareable) holds; the first `before` are not asked."""
    lefts, rights, times, shareables = ties
    holds = np.ones(lefts.size, np.bool_)
    for k in range(lefts.size):
        one, other = root_of(state.customer, lefts[k]), root_of(state.customer, rights[k])
        if one != other and k >= before:
            refused = _forbidden(state, one, other)
            holds[k] = not (refused or (shareables[k] and _many(state, one, other, times[k])))
        if holds[k] and one != other:
            state.customer[other] = one
            _join(state.named, one, other)
            _join(state.barred, one, other)
        if holds[k] and not shareables[k]:
            state.person[root_of(state.person, rights[k])] = root_of(state.person, lefts[k])
    return holds


@compiled()
def root_of(parent: Array, node: int) -> int:
    """Return the node that stands for all it is united with."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@compiled()
def _join(lists: Lists, one: int, other: int) -> None:
    """Put the other's list at the end of the one's."""
    if lists.first[other] < 0:
        return
    if lists.first[one] < 0:
        lists.first[one] = lists.first[other]
    else:
        lists.after[lists.last[one]] = lists.first[other]
    lists.last[one] = lists.last[other]


@compiled()
def _forbidden(state: Replay, one: int, other: int) -> bool:
    """Return whether a forbidden pair lies between the two: both lists are walked abreast to the shorter's end."""
    barred, ends = state.barred, state.ends
    h, k = barred.first[one], barred.first[other]
    while h >= 0 and k >= 0:
        if root_of(state.customer, ends[h ^ 1]) == other or root_of(state.customer, ends[k ^ 1]) == one:
            return True
        h, k = barred.after[h], barred.after[k]
    return False


@compiled()
def _many(state: Replay, one: int, other: int, at: int) -> bool:
    """Return whether the two would unite too many persons named by then; nobody new is never too many."""
    seen = np.empty(state.most + 1, np.int64)
    count = 0
    for customer in (one, other):
        anybody = False
        node = state.named.first[customer]
        while node >= 0 and not (anybody and count > state.most):
            if state.named_at[node] <= at:
                anybody = True
                person, k = root_of(state.person, node), 0
                while k < count and seen[k] != person:
                    k += 1
                if k == count and count <= state.most:
                    seen[k] = person
                    count += 1
            node = state.named.after[node]
        if not anybody:
            return False
    return count > state.most


class Growth(NamedTuple):
    """Customers as they grow, by node: whose it is, since when, by how weak a tie, and lists of a customer's nodes."""

    root: Array
    since: Array
    weak: Array
    last: Array
    after: Array


@compiled()
def grow_unions(growth: Growth, ties: tuple[Array, Array, Array, Array], ended: Array) -> int:
    """Return how many rows (node, root, since, until, weakness) ended as ties took nodes to other customers.

    `ties` are (left, right, arrived_at, weakness) in the order in which they arrived. The rows go to `ended`,
    (n_rows, 5), as long as there is room, each node's in order of time.
    """
    root, since, weak, last, after = growth
    lefts, rights, times, weaknesses = ties
    count = 0
    for k in range(lefts.size):
        one, other, at = root[lefts[k]], root[rights[k]], times[k]
        if one == other:
            continue
        weakest = max(weaknesses[k], weak[lefts[k]], weak[rights[k]])
        stays, goes = min(one, other), max(one, other)
        node = goes
        while node >= 0:
            # A row that would have lasted no time at all was never seen by anybody.
            if since[node] < at:
                if count < len(ended):
                    ended[count, 0], ended[count, 1], ended[count, 2] = node, goes, since[node]
                    ended[count, 3], ended[count, 4] = at, weak[node]
                count += 1
            root[node], since[node], weak[node] = stays, at, max(weak[node], weakest)
            node = after[node]
        after[last[stays]], last[stays] = goes, last[goes]
    return count
