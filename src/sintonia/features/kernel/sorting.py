"""The compiled loops behind `order`: rows put to their customers, and each customer's sorted by time."""

import numpy as np

from sintonia.core.arrays import Array
from sintonia.core.jit import compiled

SHORT = 16  # rows that insertion sorts faster than merging does


@compiled()
def count(codes: Array, rank: Array, counts: Array) -> None:
    """Put each code's place among the customers in its stead, and count the customers' rows."""
    for r in range(codes.size):
        customer = rank[codes[r]]
        codes[r] = customer
        counts[customer] += 1


@compiled()
def spots(customers: Array, place: Array, shown: Array, visible: Array) -> Array:
    """Return where the rows of these customers go, and find when each customer is visible.

    `place` is where each customer's next row goes, which moves on; `shown` is when each row is visible.
    """
    at = np.empty(customers.size, np.int64)
    for r in range(customers.size):
        customer = customers[r]
        at[r] = place[customer]
        place[customer] += 1
        visible[customer] = min(visible[customer], shown[r])
    return at


@compiled()
def sort_runs(ends: Array, rows: Array, text: tuple[Array, Array, Array]) -> None:
    """Sort each customer's (row, time) by time, then by text, else as they came.

    `text` is each row's number (empty: no texts), where each number's text begins, with the end, and the bytes.

    Runs of a few rows are sorted by insertion and merged two by two, so that a customer of a million rows costs
    no more than n log n.
    """
    longest = begin = 0
    for end in ends:
        longest, begin = max(longest, end - begin), end
    room = np.empty((longest if longest > SHORT else 0, 2), np.int64)
    begin = 0
    for end in ends:
        for low in range(begin, end, SHORT):
            _insert((low, min(low + SHORT, end)), rows, text)
        width = SHORT
        while width < end - begin:
            for low in range(begin, end - width, 2 * width):
                _merge((low, low + width, min(low + 2 * width, end)), rows, text, room)
            width *= 2
        begin = end


@compiled()
def _before(one: tuple[int, int], other: tuple[int, int], text: tuple[Array, Array, Array]) -> bool:
    """Return whether one row and time comes before another: by time, then by its text's bytes."""
    if one[1] != other[1] or text[0].size == 0:
        return one[1] < other[1]
    numbers, offsets, characters = text
    one_text, other_text = numbers[one[0]], numbers[other[0]]
    a, b = offsets[one_text], offsets[other_text]
    length, other_length = offsets[one_text + 1] - a, offsets[other_text + 1] - b
    for i in range(min(length, other_length)):
        if characters[a + i] != characters[b + i]:
            return bool(characters[a + i] < characters[b + i])
    return bool(length < other_length)


@compiled()
def _insert(span: tuple[int, int], rows: Array, text: tuple[Array, Array, Array]) -> None:
    for i in range(span[0] + 1, span[1]):
        row, time, at = rows[i, 0], rows[i, 1], i
        while at > span[0] and _before((row, time), (rows[at - 1, 0], rows[at - 1, 1]), text):
            rows[at, 0], rows[at, 1] = rows[at - 1, 0], rows[at - 1, 1]
            at -= 1
        rows[at, 0], rows[at, 1] = row, time


@compiled()
def _merge(span: tuple[int, int, int], rows: Array, text: tuple[Array, Array, Array], room: Array) -> None:
    """Merge two sorted runs that lie side by side; of equals, the first run's come first."""
    low, middle, high = span
    left = middle - low
    for i in range(left):  # a slice's assignment would have numba compile the text of its error
        room[i, 0], room[i, 1] = rows[low + i, 0], rows[low + i, 1]
    i, j, at = 0, middle, low
    while i < left:
        if j < high and _before((rows[j, 0], rows[j, 1]), (room[i, 0], room[i, 1]), text):
            rows[at, 0], rows[at, 1] = rows[j, 0], rows[j, 1]
            j += 1
        else:
            rows[at, 0], rows[at, 1] = room[i, 0], room[i, 1]
            i += 1
        at += 1
