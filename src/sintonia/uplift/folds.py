"""Customers in folds: by a salted hash, so that a customer's decisions stay together, today and tomorrow."""

from collections.abc import Sequence

import numpy as np

from sintonia.core.arrays import Floats, Ints

PART, FOLD, DRAW = range(3)
"""What a random number is for; numbers of different purposes have nothing to do with each other."""

_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_STEP = 0x9E3779B97F4A7C15


def uniform(customer: Ints, salt: int, purpose: int) -> Floats:
    """Return a number in [0, 1) for each row, the same for all rows of a customer and another for another salt.

    The finaliser of splitmix64 (Steele, Lea and Flood 2014), whose bits are as good as random.

    Examples
    --------
    >>> drawn = uniform(np.array([5, 6, 5]), 7, PART)
    >>> bool(drawn[0] == drawn[2]), bool(drawn[0] == drawn[1])
    (True, False)
    """
    with np.errstate(over="ignore"):
        bits = customer.astype(np.uint64) + np.uint64(_STEP * (3 * salt + purpose + 1) % 2**64)
        bits = (bits ^ (bits >> np.uint64(30))) * _MIX[0]
        bits = (bits ^ (bits >> np.uint64(27))) * _MIX[1]
        bits ^= bits >> np.uint64(31)
    numbers: Floats = (bits >> np.uint64(11)) / float(2**53)
    return numbers


def fold_of(customer: Ints, folds: int, salt: int) -> Ints:
    """Return each row's fold, 0 to folds - 1, of equally many customers; the rows of a customer share one.

    Examples
    --------
    >>> np.bincount(fold_of(np.arange(10), 5, salt=7)).tolist()
    [2, 2, 2, 2, 2]
    """
    distinct, codes = np.unique(customer, return_inverse=True)
    rank = np.empty(len(distinct), np.int64)
    rank[np.argsort(uniform(distinct, salt, FOLD))] = np.arange(len(distinct))
    folds_by_row: Ints = (rank * folds // max(len(distinct), 1))[codes]
    return folds_by_row


def part_of(customer: Ints, shares: Sequence[float], salt: int) -> Ints:
    """Return each row's part, 0 to len(shares), the last taking what the shares leave.

    A customer's part depends on nothing but the customer and the salt: it stays when others come.

    Examples
    --------
    >>> np.bincount(part_of(np.arange(100_000), [0.5, 0.25], salt=7)).round(-3).tolist()
    [50000, 25000, 25000]
    """
    return np.searchsorted(np.cumsum(shares), uniform(customer, salt, PART), side="right").astype(np.int64)
