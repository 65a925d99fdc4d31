"""Batch scores: one task's propensities or expected amounts at an as-of date, with percentile and band."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.core.config import ScoreSettings, iso_time
from sintonia.core.errors import ConfigError
from sintonia.core.timeline import midnight
from sintonia.data.store import Store
from sintonia.evaluation.drift import BinCounts, count_bins
from sintonia.training.dataset import Dataset, assemble
from sintonia.training.models import OutcomeModel
from sintonia.training.tasks import find_task, newest_data


@dataclass(frozen=True)
class Outcomes:
    """The predictions of one task's model for eligible customers, with their features, row by row.

    `outcome` is the propensity, or the expected amount in cents, of which `median_cents` is then the median (None where
    the model has none). For a task by category each customer has one row, that of the category with the highest
    propensity, named in `category`. `rows.label` is meaningless here, because the horizon lies in the future. `tally`
    counts the customers in the bins of the training profile, by the features the model uses, for `drift_of_model`; None
    without a training profile.
    """

    model: OutcomeModel
    rows: Dataset
    outcome: Floats
    median_cents: Floats | None
    category: tuple[str, ...] | None
    tally: BinCounts | None


@dataclass(frozen=True)
class Scores(Outcomes):
    """One task's scores of the requested customers at a date: outcomes with percentile and band among them."""

    as_of: datetime
    percentile: NDArray[np.int64]
    band: tuple[str, ...]


def score_customers(
    store: Store, model: OutcomeModel, as_of: datetime, settings: ScoreSettings, customers: Collection[str]
) -> Scores:
    """Return the scores of the eligible ones among the customers at as_of, ordered as in the store.

    An outcome depends only on the customer's own history and the model, so neither the number of threads nor the other
    customers change it; percentile and band are relative to the customers scored. Features that the model does not use
    are not computed: they are NaN in `rows`.
    """
    outcomes = outcomes_of(
        model,
        assemble(
            store, [as_of], model.catalogue, model.task, settings.engine, customers, names=model.names_used
        ),
    )
    percentile = percentiles(outcomes.outcome)
    bands = tuple(band(int(value), settings.bands) for value in percentile)
    return Scores(**vars(outcomes), as_of=as_of, percentile=percentile, band=bands)


def outcomes_of(model: OutcomeModel, rows: Dataset, n_listed: int = 0) -> Outcomes:
    """Return a model's predictions for eligible rows; `n_listed` is the number of rows of the whole list."""
    outcome = model.outcomes(rows.values, n_listed)
    tally = None
    if model.profile is not None:
        used = model.columns_used
        tally = count_bins(model.profile.of_columns(used.tolist()), rows.values[:, used], outcome)
    category = None
    if rows.category is not None:
        best = best_rows(outcome, len(model.task.categories))
        category = tuple(model.task.categories[index] for index in rows.category[best])
        rows, outcome = rows.take(best), outcome[best]
    median = model.median_cents(rows.values, n_listed) if model.predicts_amounts else None
    return Outcomes(model, rows, outcome, median, category, tally)


def best_rows(outcome: Floats, n_categories: int) -> NDArray[np.intp]:
    """Return the index of each customer's row with the highest outcome, the first of ties."""
    table = outcome.reshape(-1, n_categories)
    return np.asarray(np.arange(len(table)) * n_categories + table.argmax(axis=1))


def scoring_date(requested: str | None, store: Store, model: OutcomeModel) -> datetime:
    """Return the as-of date to score at: the requested one, else the last midnight with complete data.

    Raises
    ------
    ConfigError
        When the requested date is after the end of the data, because missing data would look like inactivity.
    """
    newest = newest_data(store, model.task)
    if requested is None:
        # A table without dates has one moment, which need not be a midnight.
        return newest if find_task(model.task).from_attribute else midnight(newest)
    as_of = iso_time("as_of", requested)
    if as_of > newest:
        raise ConfigError(
            f"as_of={requested} lies after the data, which end {newest:%Y-%m-%d %H:%M}; choose an earlier date."
        )
    return as_of


def percentiles(outcome: Floats) -> NDArray[np.int64]:
    """Return each value's percentile, 1 to 100: the share of values that are no larger, rounded up.

    Examples
    --------
    >>> percentiles(np.array([0.1, 0.9, 0.5, 0.5])).tolist()
    [25, 100, 75, 75]
    """
    no_larger = np.searchsorted(np.sort(outcome), outcome, side="right")
    return -(-100 * no_larger // max(len(outcome), 1))


def band(percentile: int, bands: Mapping[str, int]) -> str:
    """Return the band of a percentile: the one with the highest start that is no higher.

    Examples
    --------
    >>> [band(value, {"high": 91, "medium": 61, "low": 1}) for value in (100, 91, 90, 1)]
    ['high', 'high', 'medium', 'low']
    >>> band(50, {})
    ''
    """
    starts = [(start, name) for name, start in bands.items() if start <= percentile]
    return max(starts)[1] if starts else ""
