"""The compiled comparison of what silos say now with what an earlier build knew: two passes over one hash table."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sintonia.core.arrays import Array
from sintonia.core.jit import compiled


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
