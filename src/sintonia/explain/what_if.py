"""What the score would be with other values of up to three features, computed by the model ahead of time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats, Floats32
from sintonia.explain.sample import Sample
from sintonia.training.models import OutcomeModel

FEATURES = 3
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
AT_ONCE = 20_000
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
class Explained:
    """Rows with what moved their scores: names and families of the features, values, contributions."""

    names: Sequence[str]
    families: Sequence[str]
    values: Floats32  # (n, n_features)
    moved: Floats  # (n, n_features)


@dataclass(frozen=True)
class WhatIfGrid:
    """Some features of a row by their places, and the values to try of each, the row's own first."""

    row: int
    places: list[int]
    values: list[list[float]]


def what_ifs(
    model: OutcomeModel, sample: Sample, chosen: Sequence[int], families: Sequence[str]
) -> list[WhatIf]:
    """Return the grids of the chosen rows of a sample, each over the features that count most for it.

    Parameters
    ----------
    families
        The family of each feature.  # (n_features,)
    """
    assert sample.found is not None, "what moved a score says which features to change"
    told = Explained(sample.rows.names, families, sample.rows.values, sample.found.values)
    grids = choose_grids(told, chosen)
    said = grid_outcomes(model.outcomes, told, grids)
    return [what_if_of(told, grid, of) for grid, of in zip(grids, said, strict=True)]


def what_if_of(told: Explained, grid: WhatIfGrid, outcomes: Floats, actions: Sequence[int] = ()) -> WhatIf:
    """Return a grid with its answers, as a page keeps it."""
    return WhatIf(
        features=tuple(told.names[at] for at in grid.places),
        values=tuple(tuple(None if np.isnan(v) else float(v) for v in of) for of in grid.values),
        outcomes=tuple(round(float(one), 6) for one in outcomes),
        actions=tuple(actions),
    )


def choose_grids(told: Explained, chosen: Sequence[int]) -> list[WhatIfGrid]:
    """Return what to try of each chosen row.

    The features are of different families where that can be: of one family they tell of one thing, and changing only
    one of them makes a customer nobody is.
    """
    others = [_quantiles(column) for column in told.values.T]
    picked = [(row, _features(told, row, others)) for row in chosen]
    return [
        WhatIfGrid(row, places, [_values(told.values[row, at], others[at]) for at in places])
        for row, places in picked
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


def _features(told: Explained, row: int, others: Sequence[Sequence[float]]) -> list[int]:
    """Return the places of the features to change, the one that counts most first."""
    moved = np.abs(told.moved[row])
    counting = [
        at
        for at in np.argsort(-moved, kind="stable").tolist()
        if moved[at] > 0 and len(_values(told.values[row, at], others[at])) > 1
    ]
    found: list[int] = []
    for at in counting:
        if len(found) < FEATURES and told.families[at] not in [told.families[one] for one in found]:
            found.append(at)
    return found + [at for at in counting if at not in found][: FEATURES - len(found)]


def grid_outcomes(
    score: Callable[[Floats32], Floats], told: Explained, grids: Sequence[WhatIfGrid]
) -> list[Floats]:
    """Return what is said of every combination of each grid, some thousand rows asked at a time.

    # (n_combinations, ...) each, as `score` has it a row
    """
    found: list[Floats] = []
    waiting: list[Floats32] = []

    def flush() -> None:
        if not waiting:
            return
        scored = score(np.concatenate(waiting))
        found.extend(np.split(scored, np.cumsum([len(block) for block in waiting])[:-1]))
        waiting.clear()

    for grid in grids:
        tried = list(product(*grid.values))
        block = np.repeat(told.values[grid.row : grid.row + 1], len(tried), axis=0)
        block[:, grid.places] = np.array(tried, np.float32).reshape(len(tried), len(grid.places))
        waiting.append(block)
        if sum(map(len, waiting)) >= AT_ONCE:
            flush()
    flush()
    return found
