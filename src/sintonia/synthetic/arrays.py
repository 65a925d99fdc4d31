"""Array functions of the generator: ids, weighted draws, ranks and texts that may be missing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sintonia.core.arrays import Bools, Floats, Ints, Texts

_HEX = np.array([f"{byte:02x}".encode() for byte in range(256)], dtype="S2")


def scramble(numbers: Ints, salt: int) -> npt.NDArray[np.uint64]:
    """Return distinct 64-bit numbers for distinct (number, salt < 2**16), in pseudo-random order.

    The finaliser of SplitMix64, a bijection: ids never collide, whatever the number of blocks.
    """
    z = (numbers.astype(np.uint64) << np.uint64(16)) + np.uint64(salt)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return z ^ (z >> np.uint64(31))


def permute_bits(numbers: Ints, salt: int, bits: int) -> Ints:
    """Return distinct numbers below 2**bits for distinct numbers below 2**bits, in pseudo-random order.

    Examples
    --------
    >>> sorted(permute_bits(np.arange(8), salt=1, bits=3).tolist())
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    mask = np.uint64((1 << bits) - 1)
    z = (numbers.astype(np.uint64) + np.uint64(salt * 7919)) * np.uint64(0x9E3779B97F4A7C15) & mask
    z = (z ^ (z >> np.uint64(max(1, bits // 2)))) * np.uint64(0xD1342543DE82EF95) & mask
    return (z ^ (z >> np.uint64(max(1, bits // 2)))).astype(np.int64)


def hex_ids(numbers: Ints, salt: int, prefix: str = "") -> Texts:
    """Return one id of 16 hexadecimal digits per number, after the prefix.

    Examples
    --------
    >>> list(hex_ids(np.arange(2), salt=1, prefix="A"))
    ['A5692161d100b05e5', 'A1644d33451f3f4fb']
    """
    digits = _HEX[scramble(numbers, salt).astype(">u8").view(np.uint8)].view("S16").astype("U16")
    return np.array([prefix + text for text in digits.tolist()], dtype=object)


def draw_columns(rng: np.random.Generator, weights: Floats) -> Ints:
    """Return one column number per row, drawn with probability proportional to the row's weights."""
    cumulative = weights.cumsum(axis=1)  # (n_rows, n_columns)
    thresholds = rng.random(len(weights)) * cumulative[:, -1]
    columns: Ints = (cumulative <= thresholds[:, None]).sum(axis=1)
    return columns


def repeat_index(counts: npt.NDArray[Any]) -> Ints:
    """Return each index, repeated as often as its count.

    Examples
    --------
    >>> repeat_index(np.array([2, 0, 1])).tolist()
    [0, 0, 2]
    """
    return np.repeat(np.arange(len(counts)), counts)


def rank_within(groups: Ints) -> Ints:
    """Return the rank, from 0, of each element within its group; equal groups must be adjacent.

    Examples
    --------
    >>> rank_within(np.array([7, 7, 9])).tolist()
    [0, 1, 0]
    """
    starts = (
        np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]]) if len(groups) else np.array([], dtype=int)
    )
    return np.arange(len(groups)) - np.repeat(starts, np.diff(np.r_[starts, len(groups)]))


def object_array(values: Sequence[Any]) -> Texts:
    """Return the values as an array of objects, which holds texts of any length and None."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def is_present(values: Texts) -> Bools:
    """Return where the value is not None."""
    present: Bools = values != object_array([None])
    return present


def keep_where(values: Texts, kept_rows: Bools) -> Texts:
    """Return the texts, with None where the mask is false."""
    texts = values.copy()
    texts[~kept_rows] = None
    return texts
