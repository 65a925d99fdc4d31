"""What a feature is made of: interactions filtered, added up over windows or found by their place in time.

A *total* sums a column over the interactions of a filter in (as_of - window, as_of]; a *moment* is the time
of the last, the one before, or the first interaction of a filter; a *feature* combines a few of these. All
are plain values: the kernel reads them and decides how to compute them together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Bools: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]
Floats32: TypeAlias = npt.NDArray[np.float32]
Floats: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Filter:
    """Which interactions: of one channel, of one kind, only those that open a thread; None lets all pass."""

    channel: str | None = None
    kind: str | None = None
    opens_thread: bool = False


@dataclass(frozen=True)
class Total:
    """What a whole-number column adds up to over a filter's interactions; no column counts them.

    `window_days` bounds the interactions to (as_of - window, as_of]; None takes all that is visible.
    """

    where: Filter
    column: str | None = None
    window_days: int | None = None


@dataclass(frozen=True)
class DaysSince:
    """Days from one interaction of a filter to as_of; NaN when there is none.

    `position` counts as in a list of the visible interactions in time order: -1 is the last, -2 the one
    before it, 0 the first.
    """

    where: Filter
    position: int = -1


Term: TypeAlias = Total | DaysSince


def itself(value: Numbers) -> Numbers:
    """Return the value: a feature that is one term as it stands."""
    return value


def ratio(value: Numbers, base: Numbers) -> Floats:
    """Return value / base, NaN where the base is nothing.

    Examples
    --------
    >>> ratio(np.array([1, 0]), np.array([4, 0]))
    array([0.25,  nan])
    """
    result = np.full(np.shape(base), np.nan)
    np.divide(value, base, out=result, where=np.asarray(base != 0))
    return result


@dataclass(frozen=True)
class Feature:
    """One column of the feature table, and what a reader must know of it.

    `combine` makes the value of the `terms`, given in order as arrays of one shape: int64 for totals, float64
    days for moments. It works element by element, so that no customer's value depends on its neighbours.
    """

    family: str
    measure: str
    definition: str
    unit: str
    terms: tuple[Term, ...]
    combine: Callable[..., Numbers] = itself
    window_days: int | None = None
    missing: str = "never missing: nothing seen is 0"

    @property
    def name(self) -> str:
        """The column's name: family, measure and, where there is one, window."""
        window = () if self.window_days is None else (f"{self.window_days}d",)
        return "__".join((self.family, self.measure, *window))
