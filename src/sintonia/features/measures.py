"""What a feature is made of: interactions filtered, measured, and gathered as of a date.

A *column* gives every interaction a number: an SQL expression over its row, or what went before it in the
customer's history (a gap, a count, an earlier value). A *term* gathers a column over the interactions of a
*filter*: a sum over a window, a distinct count, an extreme, a decayed sum, the value at a place in time. A
*feature* combines a few terms. All are plain values: the kernel reads them and decides how to compute them
together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from sintonia.core.arrays import Numbers
from sintonia.features.combine import itself

Labels: TypeAlias = str | tuple[str, ...] | None

LABELS = ("channel", "kind", "category", "action_id", "source")
"""The text columns a filter can name values of."""

ROW_CATEGORY = "\0the row's category"
"""Stands in a filter for the category a row asks about, in tables of one row per (customer_id, as_of, category)."""


@dataclass(frozen=True)
class Among:
    """A condition: the column is one of these whole numbers, as `Among("local_hour", (6, 7, 8))`."""

    column: "Column"
    values: tuple[int, ...]


@dataclass(frozen=True)
class Filter:
    """Which interactions: those that meet every condition given; a label may be one of several.

    `having` adds conditions on columns: each must be neither 0, false nor missing (or be `Among` numbers).

    Examples
    --------
    >>> full_price = Filter(kind="purchase", having=("discount = 0",))
    >>> research = Filter(channel=("web", "app"), kind=("search", "view"))
    """

    channel: Labels = None
    kind: Labels = None
    opens_thread: bool = False
    category: Labels = None
    action_id: Labels = None
    source: Labels = None
    having: tuple["Column | Among", ...] = ()


@dataclass(frozen=True)
class Expression:
    """An SQL expression over the row's own columns, and over other columns under the names given here.

    A null makes what it meets null, as in SQL; a null sums to nothing. Whole numbers and truth values are
    sums' material: fractions must be rounded to whole units. Beside the contract's columns there are
    `local_hour` (0 to 23) and `local_weekday` (0 is Monday), by the customer's own clock. A plain string does
    for an expression without names.

    Examples
    --------
    >>> days = expression("gap // 86400", gap=Gap(Filter(kind="purchase")))
    """

    sql: str
    names: tuple[tuple[str, "Column"], ...] = ()


def expression(sql: str, **names: "Column") -> Expression:
    """Return an SQL expression over the row, in which each name stands for another column."""
    return Expression(sql, tuple(sorted(names.items())))


@dataclass(frozen=True)
class Gap:
    """Whole seconds since the customer's latest earlier interaction of a filter; missing when there is none.

    `same` asks for the same text in that column as well (`same="thread_id"`: the same order, session or
    case). Earlier means before it in the total order of the store; only visible rows count.
    """

    where: Filter
    same: str | None = None


@dataclass(frozen=True)
class Previous:
    """What a column held at the customer's latest earlier interaction of a filter; missing when none was.

    A text column's name gives its text, to compare in an expression:
    `expression("channel <> before", before=Previous("channel", Filter()))` is a switch of channels.
    """

    column: "Column"
    where: Filter
    same: str | None = None


@dataclass(frozen=True)
class Earlier:
    """How many earlier interactions of a filter the customer has (0 the first time), `same` as in `Gap`."""

    where: Filter
    same: str | None = None


@dataclass(frozen=True)
class Level:
    """The place of a text column's value among levels, 0 the first; missing for any other value."""

    column: str
    levels: tuple[str, ...]


Column: TypeAlias = str | Expression | Gap | Previous | Earlier | Level


@dataclass(frozen=True)
class Total:
    """What a column adds up to over a filter's interactions (int64); no column counts them.

    `window_days` bounds the interactions to (as_of - window, as_of]; None takes all that is visible.
    """

    where: Filter
    column: Column | None = None
    window_days: int | None = None


@dataclass(frozen=True)
class Distinct:
    """How many different values a text column has over a filter's interactions in the window (int64)."""

    where: Filter
    column: str
    window_days: int | None = None


@dataclass(frozen=True)
class Extreme:
    """The highest (or lowest) value of a column over a filter's interactions in the window; NaN: none."""

    where: Filter
    column: Column
    window_days: int | None = None
    lowest: bool = False


@dataclass(frozen=True)
class Decayed:
    """What a column adds up to when each interaction's part halves every `half_life_days` (float64).

    No column counts the interactions. Added in time order, customer by customer.
    """

    where: Filter
    column: Column | None
    half_life_days: float


@dataclass(frozen=True)
class Value:
    """What a column held at one interaction of a filter (float64); NaN when there is none or it held nothing.

    `position` counts as in a list of the visible interactions in time order: -1 is the last, -2 the one
    before it, 0 the first.
    """

    where: Filter
    column: Column
    position: int = -1


@dataclass(frozen=True)
class DaysSince:
    """Days from one interaction of a filter to as_of (float64); NaN when there is none. `Value` positions."""

    where: Filter
    position: int = -1


Term: TypeAlias = Total | Distinct | Extreme | Decayed | Value | DaysSince


@dataclass(frozen=True)
class Feature:
    """One column of the feature table, and what a reader must know of it.

    `combine` makes the value of the `terms`, given in order as arrays of one axis: int64 for totals and distinct
    counts, float64 for the rest. It works element by element, so that no customer's value depends on its
    neighbours; what was fitted on the past (means, weights) is bound to it with `functools.partial`. `why` is the
    reason a marketer would believe it. `table` is whose rows the terms gather: the interactions, or another of a
    customer's tables (see `tables`), of which `category` is the attribute's name or the identifier's type.
    Conditions on `ROW_CATEGORY` hold for the category the row asks about (`in_category`).
    """

    family: str
    measure: str
    definition: str
    unit: str
    terms: tuple[Term, ...]
    combine: Callable[..., Numbers] = itself
    window_days: int | None = None
    missing: str = "never missing: nothing seen is 0"
    why: str = ""
    table: str = "interactions"

    @cached_property
    def name(self) -> str:
        """The column's name: family, measure and, where there is one, window."""
        window = () if self.window_days is None else (f"{self.window_days}d",)
        return "__".join((self.family, self.measure, *window))
