"""What the score would be with other values of up to three features, computed by the model ahead of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sintonia.model import Model
from sintonia.review.sample import Sample

FEATURES = 3
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
AT_ONCE = 20_000
"""Rows scored at once: of 500 features they take 40 MB."""


@dataclass(frozen=True)
class WhatIf:
    """One row's grid: the features changed, the values of each (its own first, None for missing), and the outcomes.

    `outcomes` go through the last feature's values fastest; the first of them is the row's own.
    """

    features: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    outcomes: tuple[float, ...]


def what_ifs(model: Model, sample: Sample, chosen: Sequence[int], families: Sequence[str]) -> list[WhatIf]:
    """Return the grids of the chosen rows of a sample, each over the features that count most for it.

    They are of different families where that can be: of one family they tell of one thing, and changing only one of
    them makes a customer nobody is.

    Parameters
    ----------
    families
        The family of each feature.  # (n_features,)
    """
    others = [_quantiles(column) for column in sample.rows.values.T]
    picked = [_features(sample, row, families, others) for row in chosen]
    values = [
        [_values(sample.rows.values[row, at], others[at]) for at in places]
        for row, places in zip(chosen, picked, strict=True)
    ]
    grids = [list(product(*of)) for of in values]
    outcomes = _score(model, sample, list(zip(chosen, picked, grids, strict=True)))
    return [
        WhatIf(
            features=tuple(sample.rows.names[at] for at in places),
            values=tuple(tuple(None if np.isnan(v) else float(v) for v in of) for of in row_values),
            outcomes=tuple(scored),
        )
        for places, row_values, scored in zip(picked, values, outcomes, strict=True)
    ]


def _quantiles(column: NDArray[np.float32]) -> list[float]:
    """Return values that customers have: quantiles, without the missing ones."""
    known = column[~np.isnan(column)]
    if not len(known):
        return []
    found: list[float] = np.unique(np.quantile(known, QUANTILES, method="inverted_cdf")).tolist()
    return found


def _values(own: np.float32, others: Sequence[float]) -> list[float]:
    return [float(own), *(value for value in others if value != own)]


def _features(
    sample: Sample, row: int, families: Sequence[str], others: Sequence[Sequence[float]]
) -> list[int]:
    """Return the places of the features to change, the one that counts most first."""
    moved = np.abs(sample.found.values[row])
    counting = [
        at
        for at in np.argsort(-moved, kind="stable").tolist()
        if moved[at] > 0 and len(_values(sample.rows.values[row, at], others[at])) > 1
    ]
    found: list[int] = []
    for at in counting:
        if len(found) < FEATURES and families[at] not in [families[one] for one in found]:
            found.append(at)
    return found + [at for at in counting if at not in found][: FEATURES - len(found)]


def _score(
    model: Model, sample: Sample, asked: Sequence[tuple[int, list[int], list[tuple[float, ...]]]]
) -> list[list[float]]:
    """Return the outcomes of all grids, scored some thousand rows at a time."""
    found: list[list[float]] = []
    waiting: list[NDArray[np.float32]] = []

    def flush() -> None:
        if not waiting:
            return
        scored = model.outcomes(np.concatenate(waiting))
        ends = np.cumsum([len(block) for block in waiting])[:-1]
        found.extend([round(float(one), 6) for one in part] for part in np.split(scored, ends))
        waiting.clear()

    for row, places, grid in asked:
        block = np.repeat(sample.rows.values[row : row + 1], len(grid), axis=0)
        block[:, places] = np.array(grid, np.float32).reshape(len(grid), len(places))
        waiting.append(block)
        if sum(map(len, waiting)) >= AT_ONCE:
            flush()
    flush()
    return found
