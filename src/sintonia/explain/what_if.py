"""What the score would be with other values of up to three features, computed by the model ahead of time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats, Floats32
from sintonia.explain.sample import ExplainedSample
from sintonia.training.models import OutcomeModel

MAX_FEATURES = 3
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BATCH_ROWS = 20_000
"""Rows scored at once: of 500 features they take 40 MB."""


@dataclass(frozen=True)
class WhatIf:
    """One row's grid: the features changed, the values of each (its own first, None for missing), and the outcomes.

    `outcomes` go through the last feature's values fastest; the first of them is the row's own. Of a policy they are
    gains, and `actions` the places of the actions that bring them.
    """

    features: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    outcomes: tuple[float, ...]
    actions: tuple[int, ...] = ()


@dataclass(frozen=True)
class ExplainedValues:
    """Rows with what moved their scores: names and families of the features, values, contributions."""

    names: Sequence[str]
    families: Sequence[str]
    values: Floats32  # (n, n_features)
    contributions: Floats  # (n, n_features)


@dataclass(frozen=True)
class WhatIfGrid:
    """Some features of a row by their places, and the values to try of each, the row's own first."""

    row: int
    indices: list[int]
    values: list[list[float]]


def what_ifs(
    model: OutcomeModel, sample: ExplainedSample, rows: Sequence[int], families: Sequence[str]
) -> list[WhatIf]:
    """Return the grids of the chosen rows of a sample, each over the features that count most for it.

    Parameters
    ----------
    families
        The family of each feature.  # (n_features,)
    """
    assert sample.contributions is not None, "what moved a score says which features to change"
    explained = ExplainedValues(sample.rows.names, families, sample.rows.values, sample.contributions.values)
    grids = choose_grids(explained, rows)
    outcomes = grid_outcomes(model.outcomes, explained, grids)
    return [
        to_what_if(explained, grid, row_outcomes) for grid, row_outcomes in zip(grids, outcomes, strict=True)
    ]


def to_what_if(
    explained: ExplainedValues, grid: WhatIfGrid, outcomes: Floats, actions: Sequence[int] = ()
) -> WhatIf:
    """Return a grid with its answers, as a page keeps it."""
    return WhatIf(
        features=tuple(explained.names[index] for index in grid.indices),
        values=tuple(tuple(None if np.isnan(v) else float(v) for v in tried) for tried in grid.values),
        outcomes=tuple(round(float(outcome), 6) for outcome in outcomes),
        actions=tuple(actions),
    )


def choose_grids(explained: ExplainedValues, rows: Sequence[int]) -> list[WhatIfGrid]:
    """Return what to try of each chosen row.

    The features are of different families where that can be: of one family they tell of one thing, and changing only
    one of them makes a customer nobody is.
    """
    quantiles = [_quantiles(column) for column in explained.values.T]
    features_by_row = [(row, _features_to_change(explained, row, quantiles)) for row in rows]
    return [
        WhatIfGrid(
            row,
            indices,
            [_values_to_try(explained.values[row, index], quantiles[index]) for index in indices],
        )
        for row, indices in features_by_row
    ]


def _quantiles(column: NDArray[np.float32]) -> list[float]:
    """Return values that customers have: quantiles, without the missing ones."""
    known = column[~np.isnan(column)]
    if not len(known):
        return []
    distinct: list[float] = np.unique(np.quantile(known, QUANTILES, method="inverted_cdf")).tolist()
    return distinct


def _values_to_try(own: np.float32, quantiles: Sequence[float]) -> list[float]:
    return [float(own), *(value for value in quantiles if value != own)]


def _features_to_change(
    explained: ExplainedValues, row: int, quantiles: Sequence[Sequence[float]]
) -> list[int]:
    """Return the places of the features to change, the one that counts most first."""
    moved = np.abs(explained.contributions[row])
    candidates = [
        index
        for index in np.argsort(-moved, kind="stable").tolist()
        if moved[index] > 0 and len(_values_to_try(explained.values[row, index], quantiles[index])) > 1
    ]
    features: list[int] = []
    for index in candidates:
        if len(features) < MAX_FEATURES and explained.families[index] not in [
            explained.families[chosen] for chosen in features
        ]:
            features.append(index)
    return features + [index for index in candidates if index not in features][: MAX_FEATURES - len(features)]


def grid_outcomes(
    score: Callable[[Floats32], Floats], explained: ExplainedValues, grids: Sequence[WhatIfGrid]
) -> list[Floats]:
    """Return what is said of every combination of each grid, some thousand rows asked at a time.

    # (n_combinations, ...) each, as `score` has it a row
    """
    outcomes: list[Floats] = []
    waiting: list[Floats32] = []

    def flush() -> None:
        if not waiting:
            return
        scored = score(np.concatenate(waiting))
        outcomes.extend(np.split(scored, np.cumsum([len(block) for block in waiting])[:-1]))
        waiting.clear()

    for grid in grids:
        combinations = list(product(*grid.values))
        block = np.repeat(explained.values[grid.row : grid.row + 1], len(combinations), axis=0)
        block[:, grid.indices] = np.array(combinations, np.float32).reshape(
            len(combinations), len(grid.indices)
        )
        waiting.append(block)
        if sum(map(len, waiting)) >= BATCH_ROWS:
            flush()
    flush()
    return outcomes
