"""The compiled loop of average linkage: pairs told batch after batch, and the merges that become due.

Two groups with a pair between them share an edge. The edges of a group hang in a list that runs through halves
of edges: halves 2e and 2e + 1 are the ends of edge e, each in the list of the group at its end.
"""

from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from sintonia.core.arrays import Array
from sintonia.core.jit import compiled

Int = int | np.int64
Offer = tuple[float, Int, Int, Int, Int, Int]
"""-average, the two groups, their sizes (an offer of other sizes is stale), the edge."""
Due = tuple[Int, Int, float, bool]
"""The pair that says most, when the merge is known, its average bits, whether it is held."""

_DEAD = -1


TOLD = np.dtype([("left", "i8"), ("right", "i8"), ("bits", "f8"), ("known_at", "i8"), ("implausible", "?")])
"""A pair of records."""

RECORDS = np.dtype([("arrived_at", "i8"), ("parent", "i8"), ("size", "i8"), ("first", "i8")])
"""A record and the group named by it: union-find, and the first half-edge of the group's list."""

EDGES = np.dtype([("bits", "f8"), ("pairs", "i4"), ("best", "i4"), ("implausible", "?"), ("held", "?")])
"""What the pairs between two groups say together, which says most, and whether the merge was reported as held."""

HALVES = np.dtype([("end", "i4"), ("after", "i4")])
"""The group at this end, _DEAD once both are one, and the next half-edge of its list."""


class Linkage(NamedTuple):
    """Pairs in the order in which they are told, records, and room for an edge a pair."""

    told: Array  # (n_pairs,) of TOLD
    records: Array  # (n_records,) of RECORDS
    edges: Array  # (n_pairs,) of EDGES
    halves: Array  # (2 * n_pairs,) of HALVES
    slots: Array  # hash table of edges by their two groups; its size is a power of two
    used: Array  # (2,) edges made, slots taken
    least: float  # least average at which groups are one
    against: float  # what a missing pair says against


@compiled()
def link_groups(linkage: Linkage, before: Int) -> tuple[Array, Array, Array, Array]:
    """Return the columns of `Due`, (n_merges,); the first `before` pairs count and make nothing due."""
    told, edges = linkage.told, linkage.edges
    for p in range(before):
        _add(linkage, p)
    for e in range(linkage.used[0]):
        edges[e].held = edges[e].implausible and _average(linkage, e) >= linkage.least
    due: list[Due] = [(np.int64(0), np.int64(0), 0.0, False)]
    offers: list[Offer] = [(0.0, np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(0))]
    touched: list[Int] = [np.int64(0)]
    due.clear()
    offers.clear()
    start, stop = before, before
    while start < told.size:
        now = told[start].known_at
        touched.clear()
        while stop < told.size and told[stop].known_at == now:
            touched.append(_add(linkage, stop))
            stop += 1
        for edge in touched:
            if edge != _DEAD:
                _offer(linkage, edge, offers)
        if len(offers) > 0:
            _settle(linkage, now, offers, due)
        start = stop
    return _due_columns(due)


@compiled()
def _due_columns(due: list[Due]) -> tuple[Array, Array, Array, Array]:
    pair, at = np.empty(len(due), np.int64), np.empty(len(due), np.int64)
    bits, held = np.empty(len(due), np.float64), np.empty(len(due), np.bool_)
    for k in range(len(due)):
        pair[k], at[k], bits[k], held[k] = due[k]
    return pair, at, bits, held


@compiled()
def _settle(linkage: Linkage, now: Int, offers: list[Offer], due: list[Due]) -> None:
    """Append what has become due, strongest average first, and make the merges that are not held."""
    told, records, edges = linkage.told, linkage.records, linkage.edges
    while len(offers) > 0:
        negative, one, other, size_one, size_other, e = heappop(offers)
        if records[one].size != size_one or records[other].size != size_other or edges[e].held:
            continue
        best = np.int64(edges[e].best)
        at = max(now, records[told[best].left].arrived_at, records[told[best].right].arrived_at)
        due.append((best, at, -negative, edges[e].implausible))
        edges[e].held = edges[e].implausible
        if not edges[e].implausible:
            _merge(linkage, one, other)
            _offer_all(linkage, one, offers)


@compiled()
def _group(records: Array, record: Int) -> Int:
    """Return the least record of the record's group."""
    while records[record].parent != record:
        records[record].parent = records[records[record].parent].parent
        record = records[record].parent
    return record


@compiled()
def _edge_slot(linkage: Linkage, one: Int, other: Int) -> Int:
    """Return where the edge between two groups is in the hash table, or the free slot where it belongs.

    An edge that has moved to other groups leaves a slot behind that matches nobody.
    """
    slots, halves = linkage.slots, linkage.halves
    low, high = np.uint64(min(one, other)), np.uint64(max(one, other))
    mixed = (low * np.uint64(0x9E3779B97F4A7C15)) ^ (high * np.uint64(0xC2B2AE3D27D4EB4F))
    mask = slots.size - 1
    slot = np.int64(mixed >> np.uint64(32)) & mask
    while slots[slot] >= 0:
        a, b = halves[2 * slots[slot]].end, halves[2 * slots[slot] + 1].end
        if (a == one and b == other) or (a == other and b == one):
            break
        slot = (slot + 1) & mask
    return slot


@compiled()
def _take(linkage: Linkage, slot: Int, e: Int) -> None:
    """Put the edge into the free slot; a table nearly full of slots that match nobody is made anew."""
    slots, halves, used = linkage.slots, linkage.halves, linkage.used
    slots[slot] = e
    used[1] += 1
    if 4 * used[1] > 3 * slots.size:
        slots[:] = -1
        used[1] = 0
        for live in range(used[0]):
            if halves[2 * live].end != _DEAD:
                slots[_edge_slot(linkage, halves[2 * live].end, halves[2 * live + 1].end)] = live
                used[1] += 1


@compiled()
def _hang(linkage: Linkage, h: Int, group: Int) -> None:
    """Put the half-edge into the group's list."""
    linkage.halves[h].end = group
    linkage.halves[h].after = linkage.records[group].first
    linkage.records[group].first = h


@compiled()
def _add(linkage: Linkage, p: Int) -> Int:
    """Return the edge to which the pair was added; _DEAD when its records are one group already."""
    pair, edges, used = linkage.told[p], linkage.edges, linkage.used
    one, other = _group(linkage.records, pair.left), _group(linkage.records, pair.right)
    if one == other:
        return np.int64(_DEAD)
    slot = _edge_slot(linkage, one, other)
    e = np.int64(linkage.slots[slot])
    if e >= 0:
        _tell(linkage, e, (pair.bits, 1, pair.implausible, p))
        return e
    e = np.int64(used[0])
    used[0] += 1
    edges[e].bits, edges[e].pairs, edges[e].best = pair.bits, 1, p
    edges[e].implausible = pair.implausible
    _hang(linkage, 2 * e, one)
    _hang(linkage, 2 * e + 1, other)
    _take(linkage, slot, e)
    return e


@compiled()
def _tell(linkage: Linkage, e: Int, said: tuple[float, Int, bool, Int]) -> None:
    """Add bits, pairs, implausible and best to an edge; of equal pairs that of the least records is best."""
    edge, told = linkage.edges[e], linkage.told
    bits, pairs, implausible, best = said
    edge.bits += bits
    edge.pairs += pairs
    edge.implausible |= implausible
    mine, its = told[edge.best], told[best]
    if its.bits != mine.bits:
        better = its.bits > mine.bits
    elif its.left != mine.left:
        better = its.left < mine.left
    else:
        better = its.right < mine.right
    if better:
        edge.best = best


@compiled()
def _average(linkage: Linkage, e: Int) -> float:
    edge, records, halves = linkage.edges[e], linkage.records, linkage.halves
    pairs = records[halves[2 * e].end].size * records[halves[2 * e + 1].end].size
    average: float = (edge.bits - linkage.against * (pairs - edge.pairs)) / pairs
    return average


@compiled()
def _offer(linkage: Linkage, e: Int, offers: list[Offer]) -> None:
    average, records, halves = _average(linkage, e), linkage.records, linkage.halves
    if average >= linkage.least:
        a, b = np.int64(halves[2 * e].end), np.int64(halves[2 * e + 1].end)
        one, other = min(a, b), max(a, b)
        heappush(offers, (-average, one, other, records[one].size, records[other].size, np.int64(e)))


@compiled()
def _offer_all(linkage: Linkage, group: Int, offers: list[Offer]) -> None:
    """Offer every edge of the group, and take the dead ones out of its list."""
    halves, records = linkage.halves, linkage.records
    last: Int = np.int64(-1)
    h: Int = np.int64(records[group].first)
    while h >= 0:
        after = np.int64(halves[h].after)
        if halves[h].end != _DEAD:
            _offer(linkage, h >> 1, offers)
            last = h
        elif last < 0:
            records[group].first = after
        else:
            halves[last].after = after
        h = after


@compiled()
def _merge(linkage: Linkage, one: Int, other: Int) -> None:
    """Make the group `other` and its edges part of `one`."""
    records, edges, halves = linkage.records, linkage.edges, linkage.halves
    records[other].parent = one
    records[one].size += records[other].size
    records[other].size = 0
    after = np.int64(records[other].first)
    while after >= 0:
        h, e = after, after >> 1
        after, third = np.int64(halves[h].after), np.int64(halves[h ^ 1].end)
        if third == _DEAD:
            continue
        slot = _edge_slot(linkage, one, third)
        same = np.int64(linkage.slots[slot])
        if third != one and same < 0:
            _hang(linkage, h, one)
            edges[e].held = False  # of these two groups nothing was reported yet
            _take(linkage, slot, e)
            continue
        if third != one:
            _tell(linkage, same, (edges[e].bits, edges[e].pairs, edges[e].implausible, edges[e].best))
        halves[h].end = halves[h ^ 1].end = _DEAD
