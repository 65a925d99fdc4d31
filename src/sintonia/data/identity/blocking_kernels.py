"""The compiled pass over records' hashed parts of keys: who is in a group that a new record is in."""

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
