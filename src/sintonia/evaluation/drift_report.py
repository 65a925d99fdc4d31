"""Whether the data stay what they were: label rates by date, and how far the test and today are from training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sintonia.core.arrays import Floats
from sintonia.core.intervals import Estimate, wilson
from sintonia.evaluation.drift import ColumnDrift, count_bins, drift_from
from sintonia.training.dataset import Dataset
from sintonia.training.profile import TrainingProfile

LARGE_SHIFT = 0.25
"""A stability index above this is usually read as another population (Siddiqi 2006)."""
SAMPLE_ROWS = 20_000
"""Rows by which the test's distribution is measured: a tenth of them then is known to within half a point."""


@dataclass(frozen=True)
class LabelRate:
    """The outcome's rate at one as-of date of a part."""

    as_of: str
    part: str
    rows: int
    rate: Estimate


@dataclass(frozen=True)
class FeatureShift:
    """One feature's stability index of the test rows against training, and its shares of missing values in both."""

    moved: ColumnDrift
    missing: tuple[float, ...]


@dataclass(frozen=True)
class CurrentShift:
    """Customers as they are now: their as-of date, rows, and how far each feature, and the score, moved."""

    as_of: str
    rows: int
    moved: tuple[ColumnDrift, ...]


def label_rates(rows: Dataset, parts: dict[str, Sequence[Any]]) -> tuple[LabelRate, ...]:
    """Return the outcome's rate at each as-of date, with Wilson's interval: of a date, a customer has one row."""
    rates = []
    for name, dates in parts.items():
        for as_of in dates:
            label = rows.label[rows.as_of == np.datetime64(as_of, "us")] > 0
            if len(label):
                rates.append(
                    LabelRate(f"{as_of:%Y-%m-%d}", name, len(label), wilson(float(label.mean()), len(label)))
                )
    return tuple(rates)


def feature_shifts(
    reference: TrainingProfile, test: Dataset, outcomes: Floats, seed: int
) -> tuple[FeatureShift, ...]:
    """Return each feature's distance from training in the test rows, the furthest first; `outcomes` are their outcomes.

    The score is left out: its deciles are those of the test rows themselves.
    """
    picked = np.arange(len(test))
    if len(test) > SAMPLE_ROWS:
        picked = np.random.default_rng(seed).choice(len(test), SAMPLE_ROWS, replace=False)
    values = test.values[picked]
    index_of = {name: index for index, name in enumerate(test.names)}
    then = {name: column.shares[-1] for name, column in zip(test.names, reference.columns, strict=True)}
    now = np.isnan(values).mean(axis=0).tolist()
    moved = drift_from(reference, test.names, [count_bins(reference, values, outcomes[picked])]).moved
    return tuple(
        FeatureShift(
            _rounded(column_drift),
            (round(then[column_drift.name], 4), round(now[index_of[column_drift.name]], 4)),
        )
        for column_drift in moved
        if column_drift.name in index_of
    )


def current_shift(reference: TrainingProfile, rows: Dataset, outcomes: Floats) -> CurrentShift:
    """Return how far these rows, all of one date, lie from training; `outcomes` are their outcomes."""
    moved = drift_from(reference, rows.names, [count_bins(reference, rows.values, outcomes)]).moved
    return CurrentShift(f"{rows.as_of[0].astype('datetime64[D]')}", len(rows), tuple(map(_rounded, moved)))


def _rounded(drift: ColumnDrift) -> ColumnDrift:
    return ColumnDrift(drift.name, round(drift.psi, 4), round(drift.chance, 4))
