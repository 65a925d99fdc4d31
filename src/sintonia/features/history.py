"""Rows of a customer's other tables for the kernel: attributes, and links of identifiers.

The same kernel gathers them by the same rule: a row counts from the first as_of with occurred_at <= as_of and
known_at <= as_of, an unsubscribe up to its end. Attributes of a merged id count for the customer it became part of
from the merge on: the store has such rows for both, each with its own `known_at`.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from sintonia.core.arrays import Floats, Ints
from sintonia.core.errors import InputError
from sintonia.data.consent import PREFIX, YES
from sintonia.features.kernel.arrow import KNOWN_UNTIL, column_array, times, to_cells
from sintonia.features.kernel.histories import DAY, NEVER, Histories
from sintonia.features.kernel.plan import UNSUBSCRIBED
from sintonia.features.sql import Cells

if TYPE_CHECKING:
    import pyarrow as pa

BIRTH_YEAR = "birth_year"
PLAUSIBLE_AGES = (10, 110)
"""Range of plausible ages in years; a default birth year such as 1900 falls outside."""

GENERATIONS = {
    "silent": (1901, 1945),
    "boomer": (1946, 1964),
    "x": (1965, 1980),
    "millennial": (1981, 1996),
    "z": (1997, 2012),
    "alpha": (2013, 2100),
}
"""Birth years from and to, as Pew Research Center (2019), "Defining generations", has them."""

YEAR_MICROSECONDS = 365.2425 * DAY  # microseconds, the mean of the Gregorian calendar
SCALE = 1000
"""Numeric attributes are stored in thousandths, because the kernel's numbers are integers."""

ATTRIBUTE_COLUMNS = ("customer_id", "name", "value", "occurred_at", "known_at")
_NUMBER = re.compile(r"[+-]?\d{1,12}(\.\d+)?")


@dataclass(frozen=True)
class History:
    """Whole customers: their interactions, and the other tables that features may read, in any order.

    `attributes` and `links` have the columns of the contracts ATTRIBUTES and LINKS. Rows of customers without
    interactions are left out.
    """

    interactions: "pa.Table | pa.RecordBatch"
    attributes: "pa.Table | None" = None
    links: "pa.Table | None" = None


@dataclass(frozen=True)
class Rows:
    """Rows of any order for the kernel: `cells` are `category`, `value` and `quantity`."""

    customer_id: "pa.Array"
    occurred_at: Ints
    known_at: Ints
    cells: dict[str, Cells]
    known_until: Ints | None = None  # NEVER where a row does not end; None if none does


def rows_of_table(name: str, history: History) -> Rows:
    """Return a table's rows.

    Raises
    ------
    InputError
        When the history was given without this table.
    """
    if getattr(history, name) is None:
        raise InputError(
            f"The features read the table '{name}', which was not given; give a History with {name} (it may be empty)."
        )
    return TABLE_READERS[name](history)


def attribute_rows(history: History) -> Rows:
    """Return the customers' attributes as rows: `category` is the attribute's name, `value` its value.

    `quantity` is the value in thousandths where it is a number; of a consent it is 1 for a yes and 0 for a no, and
    an interaction of kind `unsubscribe` is a no on its channel. Rows with an implausible birth year are left out.
    """
    import pyarrow as pa

    assert history.attributes is not None
    unsubscribes, ends = _unsubscribe_attributes(history.interactions)
    if ends is not None:
        ends = np.concatenate([np.full(len(history.attributes), NEVER), ends])
    customer_id, names, values, *moments = (
        pa.concat_arrays([column_array(history.attributes, name).cast(kind), unsubscribed.cast(kind)])
        for (name, kind), unsubscribed in zip(_attribute_types().items(), unsubscribes, strict=True)
    )
    name, value = to_cells(names, "name"), to_cells(values, "value")
    occurred_at, known_at = map(times, moments)
    quantity = _quantities(name, value)
    is_birth_year = np.array([label == BIRTH_YEAR for label in name.labels or ()], bool)[name.values]
    plausible = np.flatnonzero(~is_birth_year | is_plausible(quantity / SCALE, occurred_at))
    missing = np.isnan(quantity)
    cells = {
        "category": name,
        "value": value,
        "quantity": Cells(np.where(missing, 0, quantity).astype(np.int64), missing),
    }
    return Rows(
        customer_id.take(pa.array(plausible)),
        occurred_at[plausible],
        known_at[plausible],
        {key: column.take(plausible) for key, column in cells.items()},
        None if ends is None else ends[plausible],
    )


def link_rows(history: History) -> Rows:
    """Return the ties of identifiers: `category` is the type, `quantity` 1 when tied and -1 when no longer."""
    import pyarrow as pa

    links = history.links
    linked_at, ended = column_array(links, "linked_at"), column_array(links, "unlinked_at")
    ended_rows = np.flatnonzero(ended.is_valid().to_numpy(zero_copy_only=False))
    rows = np.concatenate([np.arange(len(linked_at)), ended_rows])
    started_at = times(linked_at)
    # No tie ends before it began: whatever a row says, nothing of it is known before its linked_at.
    moments = np.concatenate(
        [started_at, np.maximum(times(ended.take(pa.array(ended_rows))), started_at[ended_rows])]
    )
    quantity = np.concatenate([np.ones(len(linked_at), np.int64), np.full(len(ended_rows), -1)])
    kinds = to_cells(column_array(links, "source"), "source").take(rows)
    ids = column_array(links, "customer_id").take(pa.array(rows))
    return Rows(ids, moments, moments, {"category": kinds, "quantity": Cells(quantity)})


TABLE_READERS: dict[str, Callable[[History], Rows]] = {"attributes": attribute_rows, "links": link_rows}
"""The reader of each table other than the interactions."""


def histories_of_rows(rows: Rows, ids: "pa.Array", first_visible: Ints, columns: Iterable[str]) -> Histories:
    """Return the rows of these customers as histories that are first visible when their interactions are.

    Each customer gets one row at that moment that meets no filter, and what was known before counts from then on:
    so every (customer, as_of) of the feature table is one here, and no other. Of rows at one moment the order is
    that of their contents, the smallest quantity (a no) last, so that the order of the table is nothing.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    customer_index = pc.fill_null(pc.index_in(rows.customer_id.cast(pa.string()), ids), -1).to_numpy()
    matched = np.flatnonzero(customer_index >= 0)
    owner = np.concatenate([customer_index[matched], np.arange(len(ids))])
    occurred_at = np.concatenate([rows.occurred_at[matched], first_visible])
    known_at = np.concatenate(
        [np.maximum(rows.known_at[matched], first_visible[customer_index[matched]]), first_visible]
    )
    cells = {name: _append_missing(column.take(matched), len(ids)) for name, column in rows.cells.items()}
    contents = [_text_ranks(column) for name, column in cells.items() if name != "quantity"]
    order = np.lexsort((known_at, *contents, -cells["quantity"].values, occurred_at, owner))
    return Histories(
        starts=np.searchsorted(owner[order], np.arange(len(ids) + 1)),
        occurred_at=occurred_at[order],
        known_at=known_at[order],
        cells={name: cells[name].take(order) for name in columns if name != "occurred_at"},
        visible=first_visible,
        known_until=None
        if rows.known_until is None
        else np.concatenate([rows.known_until[matched], np.full(len(ids), NEVER)])[order],
    )


def is_plausible(birth_year: Floats, moment: Ints) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Return whether somebody born in the middle of a year can be a customer at a moment (UTC microseconds)."""
    age = age_years(birth_year, moment)
    return np.asarray((age >= PLAUSIBLE_AGES[0]) & (age <= PLAUSIBLE_AGES[1]))


def age_years(birth_year: Floats, moment: Ints | Floats) -> Floats:
    """Return the age of who was born in the middle of a year, right to half a year.

    Examples
    --------
    >>> moment = np.array([np.datetime64("2025-07-02", "us").astype(int)])
    >>> age_years(np.array([1985.0]), moment).round(2).tolist()
    [40.0]
    """
    age: Floats = moment / YEAR_MICROSECONDS + 1970 - (birth_year + 0.5)
    return age


@cache
def _attribute_types() -> "dict[str, pa.DataType]":
    """Return the Arrow type of each column of the attributes that features read."""
    import pyarrow as pa

    texts, moments = ATTRIBUTE_COLUMNS[:3], ATTRIBUTE_COLUMNS[3:]
    return dict.fromkeys(texts, pa.string()) | dict.fromkeys(moments, pa.timestamp("us"))


def _unsubscribe_attributes(
    interactions: "pa.Table | pa.RecordBatch",
) -> "tuple[list[pa.Array], Ints | None]":
    """Return the columns of the unsubscribes as consents with the value `no`, and when each ends (None: none does)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, channel = (column_array(interactions, name).cast(pa.string()) for name in UNSUBSCRIBED)
    rows = pc.indices_nonzero(pc.and_(pc.equal(kind, "unsubscribe"), channel.is_valid()))
    customer_id, *moments = (
        column_array(interactions, name).take(rows) for name in ("customer_id", *ATTRIBUTE_COLUMNS[3:])
    )
    names = pc.binary_join_element_wise(PREFIX, channel.take(rows), "")
    columns = [customer_id, names, pa.array(["no"] * len(rows), pa.string()), *moments]
    if KNOWN_UNTIL not in interactions.schema.names:
        return columns, None
    ends = column_array(interactions, KNOWN_UNTIL).take(rows)
    if ends.null_count == len(ends):
        return columns, None
    never = ends.is_null().to_numpy(zero_copy_only=False)
    return columns, np.where(never, NEVER, times(ends))


def _quantities(name: Cells, value: Cells) -> Floats:
    consent = np.array([str(label).startswith(PREFIX) for label in name.labels or ()], bool)
    answers = np.array([str(label).strip().lower() in YES for label in value.labels or ()], np.float64)
    numbers = np.array([thousandths(str(label)) for label in value.labels or ()], np.float64)
    return np.where(consent[name.values], answers[value.values], numbers[value.values])


def thousandths(text: str) -> float:
    """Return a number written plainly in thousandths, NaN for any other text.

    Examples
    --------
    >>> thousandths(" 12.5 "), thousandths("12 roses"), thousandths("1e5")
    (12500.0, nan, nan)
    """
    plain = text.strip()
    return float(round(float(plain) * SCALE)) if _NUMBER.fullmatch(plain) else np.nan


def _append_missing(cells: Cells, count: int) -> Cells:
    """Return the cells with `count` missing ones appended."""
    if cells.labels is not None:
        return Cells(np.concatenate([cells.values, np.full(count, len(cells.labels))]), None, cells.labels)
    missing = np.zeros(len(cells.values), np.bool_) if cells.missing is None else cells.missing
    return Cells(
        np.concatenate([cells.values, np.zeros(count, np.int64)]),
        np.concatenate([missing, np.ones(count, np.bool_)]),
    )


def _text_ranks(cells: Cells) -> Ints:
    """Return each text's place among all of them in the order of their letters, the missing last."""
    labels = [str(label) for label in cells.labels or ()]
    ranks = np.empty(len(labels) + 1, np.int64)
    ranks[sorted(range(len(labels)), key=labels.__getitem__)] = np.arange(len(labels))
    ranks[-1] = len(labels)
    return ranks[cells.values]
