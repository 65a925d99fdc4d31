"""The compiled loops that number texts: equal texts get one number, in the order in which they first come."""

import numpy as np

from sintonia.arrays import Array
from sintonia.compiled import compiled

AHEAD = 512  # texts looked up together, so that the memory they wait for is fetched at once
HALF = np.uint64(0xFFFFFFFF)


@compiled()
def number_texts(offsets: Array, characters: Array, codes: Array) -> tuple[Array, Array]:
    """Fill each text's number and return the texts numbered: where each begins, with the end, and their bytes.

    Text i is `characters[offsets[i]:offsets[i + 1]]`. The table of numbers is open and twice as large when it is
    three quarters full; an entry is a number from 1 on below the upper half of its text's hash.
    """
    table, begins = np.zeros(4096, np.uint64), np.zeros(4096, np.int64)
    packed = np.empty(8 * 4096, np.uint8)
    n = 0
    hashes, begin = np.empty(AHEAD, np.uint64), np.empty(AHEAD, np.int64)
    likely = np.empty(AHEAD, np.int64)
    for low in range(0, codes.size, AHEAD):
        some = min(AHEAD, codes.size - low)
        for j in range(some):
            at = offsets[low + j]
            hashes[j] = _hashed(characters, at, offsets[low + j + 1] - at)
        for j in range(some):
            entry = table[hashes[j] & np.uint64(table.size - 1)]
            alike = entry != np.uint64(0) and (entry & ~HALF) == (hashes[j] & ~HALF)
            likely[j] = np.int64(entry & HALF) - 1 if alike else -1
        for j in range(some):
            begin[j] = begins[likely[j]] if likely[j] >= 0 else 0
        for j in range(some):
            at, length, number = offsets[low + j], offsets[low + j + 1] - offsets[low + j], likely[j]
            if (
                number < 0
                or begins[number + 1] - begin[j] != length
                or not _same(characters, at, packed, begin[j], length)
            ):
                number = _found(table, (begins, packed), hashes[j], (characters, at, length))
            if number < 0:
                if 4 * (n + 1) >= 3 * table.size:
                    table, begins = _grown(table, begins, packed, n)
                if begins[n] + length > packed.size:
                    packed = np.append(packed, np.empty(packed.size + length, np.uint8))
                packed[begins[n] : begins[n] + length] = characters[at : at + length]
                begins[n + 1] = begins[n] + length
                number = n
                n += 1
                _enter(table, hashes[j], n)
            codes[low + j] = number
    return begins[: n + 1].copy(), packed[: begins[n]].copy()


@compiled()
def _found(table: Array, numbered: tuple[Array, Array], of: np.uint64, text: tuple[Array, int, int]) -> int:
    """Return the number of a text that is in the table already, -1 for a new one."""
    begins, packed = numbered
    characters, at, length = text
    spot = of & np.uint64(table.size - 1)
    while table[spot] != np.uint64(0):
        number = np.int64(table[spot] & HALF) - 1
        if begins[number + 1] - begins[number] == length and _same(
            characters, at, packed, begins[number], length
        ):
            return int(number)
        spot = (spot + np.uint64(1)) & np.uint64(table.size - 1)
    return -1


@compiled()
def _enter(table: Array, of: np.uint64, entry: int) -> None:
    spot = of & np.uint64(table.size - 1)
    while table[spot] != np.uint64(0):
        spot = (spot + np.uint64(1)) & np.uint64(table.size - 1)
    table[spot] = (of & ~HALF) | np.uint64(entry)


@compiled()
def _grown(table: Array, begins: Array, packed: Array, n: int) -> tuple[Array, Array]:
    grown, further = np.zeros(2 * table.size, np.uint64), np.zeros(2 * table.size, np.int64)
    further[: n + 1] = begins[: n + 1]
    for i in range(n):
        _enter(grown, _hashed(packed, begins[i], begins[i + 1] - begins[i]), i + 1)
    return grown, further


@compiled()
def _word(characters: Array, at: int) -> np.uint64:
    """Return eight bytes as one number: written out, for then they are read at once."""
    c, i = characters, np.uint64(at)
    low = np.uint64(c[i]) | np.uint64(c[i + np.uint64(1)]) << np.uint64(8)
    low |= np.uint64(c[i + np.uint64(2)]) << np.uint64(16) | np.uint64(c[i + np.uint64(3)]) << np.uint64(24)
    low |= np.uint64(c[i + np.uint64(4)]) << np.uint64(32) | np.uint64(c[i + np.uint64(5)]) << np.uint64(40)
    low |= np.uint64(c[i + np.uint64(6)]) << np.uint64(48) | np.uint64(c[i + np.uint64(7)]) << np.uint64(56)
    return low


@compiled()
def _rest(characters: Array, at: int, length: int) -> np.uint64:
    """Return fewer than eight bytes as one number."""
    word = np.uint64(0)
    for j in range(length):
        word |= np.uint64(characters[np.uint64(at + j)]) << np.uint64(8 * j)
    return word


@compiled()
def _hashed(characters: Array, at: int, length: int) -> np.uint64:
    """Return a text's hash: words mixed by the multipliers of MurmurHash3's finaliser (Appleby)."""
    mixed, upto = np.uint64(length) * np.uint64(0x9E3779B97F4A7C15), at + length
    while upto - at >= 8:
        mixed = (mixed ^ _word(characters, at)) * np.uint64(0xFF51AFD7ED558CCD)
        mixed ^= mixed >> np.uint64(32)
        at += 8
    mixed = (mixed ^ _rest(characters, at, upto - at)) * np.uint64(0xC4CEB9FE1A85EC53)
    return mixed ^ (mixed >> np.uint64(32))


@compiled()
def _same(one: Array, at: int, other: Array, there: int, length: int) -> bool:
    upto = at + length
    while upto - at >= 8:
        if _word(one, at) != _word(other, there):
            return False
        at += 8
        there += 8
    return bool(_rest(one, at, upto - at) == _rest(other, there, upto - at))
