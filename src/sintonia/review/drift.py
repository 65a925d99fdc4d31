"""Whether the data stay what they were: label rates and missing values by date, and the population stability index."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sintonia.estimates import Estimate, wilson
from sintonia.reference import count_parts, decile
from sintonia.training_set import Rows

Floats = NDArray[np.float64]

MOVED, SHIFTED = 0.1, 0.25
"""Usual readings of a PSI (Siddiqi 2006): below the first stable, above the second another population."""
SAMPLED = 20_000
"""Rows by which a part's distribution is measured: a tenth of them then is known to within half a point."""


@dataclass(frozen=True)
class LabelRate:
    """The outcome's rate at one as-of date of a part."""

    as_of: str
    part: str
    rows: int
    rate: Estimate


@dataclass(frozen=True)
class Profile:
    """One feature's distribution in training, and how far the test's is from it.

    `edges` are the deciles of training, `shares` what lay between them there, that of missing values last. `psi` is the
    index of the test; `missing` are the shares of missing values in training and test.
    """

    feature: str
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    psi: float
    missing: tuple[float, ...]


@dataclass(frozen=True)
class Now:
    """The features of customers as they are now: their as-of date, rows, and each feature's PSI against training."""

    as_of: str
    rows: int
    psi: dict[str, float]


def label_rates(rows: Rows, parts: dict[str, Sequence[Any]]) -> tuple[LabelRate, ...]:
    """Return the outcome's rate at each as-of date, with Wilson's interval: of a date, a customer has one row."""
    found = []
    for name, dates in parts.items():
        for as_of in dates:
            label = rows.label[rows.as_of == np.datetime64(as_of, "us")] > 0
            if len(label):
                found.append(
                    LabelRate(f"{as_of:%Y-%m-%d}", name, len(label), wilson(float(label.mean()), len(label)))
                )
    return tuple(found)


def profiles(train: Rows, test: Rows, seed: int) -> tuple[Profile, ...]:
    """Return each feature's distribution in training and the test's distance from it."""
    before, after = _some(train.values, seed), _some(test.values, seed)
    return tuple(_profile(name, before[:, at], after[:, at]) for at, name in enumerate(train.names))


def now_against(told: Sequence[Profile], rows: Rows, seed: int) -> Now:
    """Return how far the features of these rows, all of one date, are from training; the rows have its features."""
    values = _some(rows.values, seed)
    psi = {
        one.feature: round(index(np.array(one.shares), _shares(one.edges, values[:, at]), len(values)), 4)
        for at, one in enumerate(told)
    }
    return Now(f"{rows.as_of[0].astype('datetime64[D]')}", len(rows), psi)


def _profile(name: str, before: Floats, after: Floats) -> Profile:
    column = decile(before)
    now = _shares(column.edges, after)
    return Profile(
        feature=name,
        edges=column.edges,
        shares=tuple(round(share, 6) for share in column.shares),
        psi=round(index(np.array(column.shares), now, len(after)), 4),
        missing=tuple(round(float(np.isnan(part).mean()), 4) for part in (before, after)),
    )


def _shares(edges: tuple[float, ...], values: NDArray[Any]) -> Floats:
    """Return the share of the values in each part, the missing ones last."""
    return np.asarray(count_parts(values, edges) / max(len(values), 1))


def index(before: Floats, after: Floats, rows: int) -> float:
    """Return the population stability index: sum of (after - before) ln(after / before) over bins.

    Half a row is added to every bin of the `rows`, so that an empty one counts, and not without end.

    Examples
    --------
    >>> even, skewed = np.array([0.5, 0.5]), np.array([0.75, 0.25])
    >>> round(index(even, even, 1000), 4), round(index(even, skewed, 1_000_000), 4)
    (0.0, 0.2747)
    """
    half = 0.5 / max(rows, 1)
    one, other = (part + half for part in (before, after))
    one, other = one / one.sum(), other / other.sum()
    return float(((other - one) * np.log(other / one)).sum())


def _some(values: NDArray[np.float32], seed: int) -> NDArray[Any]:
    if len(values) <= SAMPLED:
        return values
    return values[np.random.default_rng(seed).choice(len(values), SAMPLED, replace=False)]
