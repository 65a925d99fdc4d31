"""The compiled loop that finds each customer's best hours. Importing this imports numba."""

from typing import NamedTuple

import numpy as np

from sintonia.arrays import Array
from sintonia.compiled import compiled


class Visits(NamedTuple):
    """Visits to the hours of the week, `weight` many: those of a customer are `start[row]` to `start[row + 1]`."""

    start: Array
    hour: Array
    weight: Array


class Lean(NamedTuple):
    """What visits lean on: the profile (n_segments, 168) of each customer's segment, as if on so many visits."""

    profile: Array
    segment: Array
    strength: float


class Ahead(NamedTuple):
    """The hours to come, `slot` (n_slots, 3): hour of the week, day, hour of the day; those each use allows.

    `opens` (n_uses, n_slots) has the places of these, -1 after the last.
    """

    slot: Array
    opens: Array


class Best(NamedTuple):
    """By customer, use and day the best hour of the day, -1 for none, and its share of the visits."""

    hour: Array
    share: Array


@compiled()
def best_hours(visits: Visits, lean: Lean, rows: Array, ahead: Ahead, best: Best) -> None:
    """Fill for these customers, by use and day, the hour with most of the customer's visits, and their share.

    A visit counts half at its hour and a quarter at those beside it. A day without an allowed hour keeps -1 and a
    share of 0; of equal hours the first is taken.
    """
    rate = np.zeros(168)
    for at in range(len(rows)):
        row = rows[at]
        total = max(lean.strength, 1e-12)
        for one in range(168):
            rate[one] = lean.strength * lean.profile[lean.segment[row], one]
        for entry in range(visits.start[row], visits.start[row + 1]):
            count, hour = visits.weight[entry], visits.hour[entry]
            total += count
            rate[hour] += count / 2.0
            rate[(hour + 1) % 168] += count / 4.0
            rate[(hour + 167) % 168] += count / 4.0
        for use in range(len(ahead.opens)):
            for one in ahead.opens[use]:
                if one < 0:
                    break
                day, visited = ahead.slot[one, 1], np.float32(rate[ahead.slot[one, 0]] / total)
                if best.hour[row, use, day] < 0 or visited > best.share[row, use, day]:
                    best.hour[row, use, day] = ahead.slot[one, 2]
                    best.share[row, use, day] = visited
