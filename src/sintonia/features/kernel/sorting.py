"""The compiled loops behind `order`: rows grouped by customer, and each customer's sorted by time."""

import numpy as np

from sintonia.core.arrays import Array
from sintonia.core.jit import compiled

SHORT = 16  # rows that insertion sorts faster than merging does


@compiled()
def count(codes: Array, rank: Array, counts: Array) -> None:
    """Replace each code by the rank of its customer, and count the customers' rows."""
    for r in range(codes.size):
        customer = rank[codes[r]]
        codes[r] = customer
        counts[customer] += 1


@compiled()
def find_rows(customers: Array, next_row: Array, shown: Array, visible: Array, rows: Array) -> None:
    """Fill where the rows of these customers go, and lower the time from which each customer is visible.

    `next_row` is where each customer's next row goes, and is advanced; `shown` is when each row is visible.
    """
    for r in range(customers.size):
        customer = customers[r]
        rows[r] = next_row[customer]
        next_row[customer] += 1
        visible[customer] = min(visible[customer], shown[r])


@compiled()
def sort_runs(ends: Array, rows: Array, text: tuple[Array, Array, Array]) -> None:
    """Sort each customer's (row, time) by time, then by text, otherwise stably.

    `text` is each row's code (empty: no texts), where the text of each code begins, with the end, and the bytes.

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
def _before(first: tuple[int, int], second: tuple[int, int], text: tuple[Array, Array, Array]) -> bool:
    """Return whether one row and time comes before another: by time, then by its text's bytes."""
    if first[1] != second[1] or text[0].size == 0:
        return first[1] < second[1]
    codes, offsets, characters = text
    first_code, second_code = codes[first[0]], codes[second[0]]
    a, b = offsets[first_code], offsets[second_code]
    first_length, second_length = offsets[first_code + 1] - a, offsets[second_code + 1] - b
    for i in range(min(first_length, second_length)):
        if characters[a + i] != characters[b + i]:
            return bool(characters[a + i] < characters[b + i])
    return bool(first_length < second_length)


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
    """Merge two adjacent sorted runs; of equals, the first run's come first."""
    low, middle, high = span
    length = middle - low
    for i in range(length):  # a slice's assignment would have numba compile the text of its error
        room[i, 0], room[i, 1] = rows[low + i, 0], rows[low + i, 1]
    i, j, at = 0, middle, low
    while i < length:
        if j < high and _before((rows[j, 0], rows[j, 1]), (room[i, 0], room[i, 1]), text):
            rows[at, 0], rows[at, 1] = rows[j, 0], rows[j, 1]
            j += 1
        else:
            rows[at, 0], rows[at, 1] = room[i, 0], room[i, 1]
            i += 1
        at += 1
