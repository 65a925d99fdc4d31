"""The compiled loops of identities: blocking, comparison with an earlier build, average linkage, and unions of ties.

They stand apart from the modules that call them because numba is imported only where they run.

In average linkage, two groups with a pair between them share an edge. The edges of a group hang in a list of halves of
edges: halves 2e and 2e + 1 are the ends of edge e, each in the list of the group at its end.
"""

from concurrent.futures import ThreadPoolExecutor
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from sintonia.core.arrays import Array
from sintonia.core.jit import compiled


class Groups(NamedTuple):
    """The groups of one key that new records are in, as an open-addressing table by the hash of what is shared.

    `slots` are the hashes (0 free), `earlier` how many records that are not new were met in each, up to `limit`, with
    which a group is full. `ways` are the parts that make the key, (n_ways, n_parts): a name may be either of two.
    """

    slots: Array
    earlier: Array
    limit: int
    ways: Array

    @classmethod
    def empty(cls, records: int, limit: int, ways: Array) -> "Groups":
        """Return room for the groups of so many new records."""
        size = 2
        while size < 2 * records * len(ways):
            size *= 2
        return cls(np.zeros(size, np.uint64), np.zeros(size, np.int64), limit, ways)

    def full(self) -> Array:
        """Return which groups no new record gets into, (n_slots,)."""
        return self.earlier >= self.limit


@compiled()
def fill(groups: Groups, parts: Array) -> None:
    """Make the groups of new records, from their hashed parts (n_parts, n_rows), 0 where one is missing."""
    for way in groups.ways:
        for row in range(parts.shape[1]):
            key = _key(parts, way, row)
            if key:
                groups.slots[_key_slot(groups.slots, key)] = key


@compiled()
def meet(groups: Groups, parts: Array, is_new: Array) -> tuple[Array, Array]:
    """Return the group and the row of each record that is in one with room left, a row once for each way.

    What a group held before it was full is among them.
    """
    group, rows, met = np.empty(parts.shape[1], np.int64), np.empty(parts.shape[1], np.int64), 0
    for way in groups.ways:
        for row in range(parts.shape[1]):
            key = _key(parts, way, row)
            slot = _key_slot(groups.slots, key)
            if not key or not groups.slots[slot]:
                continue
            groups.earlier[slot] += not is_new[row]
            if groups.earlier[slot] < groups.limit:
                if met == rows.size:
                    group, rows = np.append(group, group), np.append(rows, rows)
                group[met], rows[met], met = slot, row, met + 1
    return group[:met], rows[:met]


@compiled()
def _key(parts: Array, way: Array, row: int) -> np.uint64:
    """Return the hash of a row's parts, 0 where one is missing."""
    key = np.uint64(1)
    for at in way:
        if not parts[at, row]:
            return np.uint64(0)
        # The finalizer of MurmurHash3: the parts' bits must not cancel out, nor the order be lost.
        key = (key ^ parts[at, row]) * np.uint64(0xFF51AFD7ED558CCD)
        key ^= key >> np.uint64(33)
    return key | np.uint64(1)


@compiled()
def _key_slot(slots: Array, key: np.uint64) -> np.int64:
    """Return where a key is, or the free slot where it belongs."""
    mask = slots.size - 1
    slot = np.int64(key >> np.uint64(1)) & mask
    while slots[slot] and slots[slot] != key:
        slot = (slot + 1) & mask
    return slot


def compare(known: Array, first: Array, now: Array, arrived_at: Array) -> tuple[Array, Array]:
    """Return which rows are of sightings not `known` or arrived before their `first` time, (n_rows,), and which known
    ones no row arrived with at that time, (n_known,).

    Sightings are 64-bit hashes (as int64), times whole numbers; a sighting known twice has one first time.
    """
    with ThreadPoolExecutor() as threads:
        halves = threads.map(lambda half: _compare(half, known, first, now, arrived_at), range(2))
        (changed, lost), (others_changed, others_lost) = halves
    return changed | others_changed, lost | others_lost


@compiled()
def _compare(half: int, known: Array, first: Array, now: Array, arrived_at: Array) -> tuple[Array, Array]:
    """Return what `compare` does of one half of the sightings: the negative hashes (0) or the others (1)."""
    size, rows = 2, np.count_nonzero((known >= 0) == half)
    while size < 2 * rows:
        size *= 2
    slots, met = np.empty((size, 2), np.int64), np.zeros(size, np.uint8)
    for k in range(known.size):
        if (known[k] >= 0) == half:
            slot = _sighting_slot(slots, met, known[k])
            slots[slot, 0], slots[slot, 1], met[slot] = known[k], first[k], 1
    changed = np.zeros(now.size, np.bool_)
    for k in range(now.size):
        if (now[k] >= 0) == half:
            slot = _sighting_slot(slots, met, now[k])
            if met[slot] == 0 or arrived_at[k] < slots[slot, 1]:
                changed[k] = True
            elif arrived_at[k] == slots[slot, 1]:
                met[slot] = 2
    lost = np.zeros(known.size, np.bool_)
    for k in range(known.size):
        if (known[k] >= 0) == half:
            lost[k] = met[_sighting_slot(slots, met, known[k])] == 1
    return changed, lost


@compiled()
def _sighting_slot(slots: Array, met: Array, sighting: int) -> int:
    """Return where a sighting is in the table, or the free slot where it belongs."""
    mask = met.size - 1
    slot = sighting & mask
    while met[slot] != 0 and slots[slot, 0] != sighting:
        slot = (slot + 1) & mask
    return slot


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
