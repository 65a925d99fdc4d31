"""The profile of a model's training rows: deciles of each feature and medians of peer groups, stored with the model.

Reasons compare a customer's value with the median of the customer's peers; drift measures how far scored customers lie
from these deciles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.core.errors import InputError
from sintonia.training.dataset import Dataset

SAMPLE_ROWS = 100_000
"""Rows sampled for deciles: each tenth then has 10,000 rows, a standard error of about 1 % of its count."""

N_BINS, N_SEGMENTS = 10, 3
PEER_FEATURES = ("profile__tenure", "rfm__days_since_first_purchase")
"""Peers have been customers for about as long, by the first of these features that the model reads."""


@dataclass(frozen=True)
class Deciles:
    """A column's deciles: bins (.., e1], (e1, e2], ..., (ek, ..) and the share of rows in each.

    The last share is that of rows without a value. Equal deciles become one edge: when most values of a feature are 0,
    the first bin holds them all.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class OutcomeRatio:
    """The observed total of the test rows over the predicted total, and its standard error.

    `dispersion` is the variance of outcomes about their predictions, relative to the predictions (1: as counts have).
    """

    ratio: float = 1.0
    error: float = 0.0
    dispersion: float = 1.0


@dataclass(frozen=True)
class TrainingProfile:
    """The training rows: the number of `rows` profiled, each feature's deciles, and its median in each peer group.

    Peers lie in the same segment of `peer_feature` ("": all customers are one segment), divided at `cuts`. `medians` is
    (n_segments, n_features), NaN where at least half of the peers have no value. `until` is the end of the data that
    training read. `prediction_deciles` are those of the predictions for the test rows, and `outcome_ratio` compares
    them with what happened; both are None for a model that was not evaluated.
    """

    rows: int
    columns: tuple[Deciles, ...]
    peer_feature: str
    cuts: tuple[float, ...]
    medians: Floats
    until: datetime | None = None
    prediction_deciles: Deciles | None = None
    outcome_ratio: OutcomeRatio | None = None

    def of_columns(self, columns: Sequence[int]) -> "TrainingProfile":
        """Return the profile with the deciles of these columns only, for rows that have no other columns."""
        return replace(self, columns=tuple(self.columns[at] for at in columns))

    def segments(self, values: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.intp]:
        """Return the segment of peers of each row.  # (n_rows, n_features) to (n_rows,)"""
        if not self.peer_feature:
            return np.zeros(len(values), np.intp)
        return np.searchsorted(np.array(self.cuts), values[:, names.index(self.peer_feature)])

    def as_plain(self) -> dict[str, Any]:
        """Return JSON values, which `from_plain` reads back to the last bit."""
        return {
            "rows": self.rows,
            "edges": [list(column.edges) for column in self.columns],
            "shares": [list(column.shares) for column in self.columns],
            "alike": self.peer_feature,
            "cuts": list(self.cuts),
            "medians": [
                [None if np.isnan(value) else value for value in row] for row in self.medians.tolist()
            ],
            "until": None if self.until is None else self.until.isoformat(),
            "outcome": None if self.prediction_deciles is None else asdict(self.prediction_deciles),
            "judged": None if self.outcome_ratio is None else asdict(self.outcome_ratio),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "TrainingProfile":
        """Return what `as_plain` gave.

        Raises
        ------
        InputError
            When these values are not a training profile.
        """
        try:
            return cls(
                rows=int(plain["rows"]),
                columns=tuple(
                    Deciles(tuple(edges), tuple(shares))
                    for edges, shares in zip(plain["edges"], plain["shares"], strict=True)
                ),
                peer_feature=plain["alike"],
                cuts=tuple(plain["cuts"]),
                medians=np.array(plain["medians"], np.float64),
                until=None if plain["until"] is None else datetime.fromisoformat(plain["until"]),
                prediction_deciles=None
                if (outcome := plain["outcome"]) is None
                else Deciles(tuple(outcome["edges"]), tuple(outcome["shares"])),
                outcome_ratio=None if plain["judged"] is None else OutcomeRatio(**plain["judged"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"The model's training profile cannot be read ({error!r}); train it again."
            ) from None


def fit_training_profile(rows: Dataset, seed: int, until: datetime | None = None) -> TrainingProfile:
    """Return the profile of training rows, taken from a sample of `SAMPLE_ROWS` where there are more.

    `until` is the end of the data that the rows come from.
    """
    picked = np.arange(len(rows))
    if len(picked) > SAMPLE_ROWS:
        picked = np.sort(np.random.default_rng(seed).choice(len(rows), SAMPLE_ROWS, replace=False))
    values = rows.values[picked]
    peer_feature = next((name for name in PEER_FEATURES if name in rows.names), "")
    cuts: tuple[float, ...] = ()
    if peer_feature:
        known = values[:, rows.names.index(peer_feature)]
        cuts = _quantiles(known[~np.isnan(known)], N_SEGMENTS)
    without_medians = TrainingProfile(len(picked), (), peer_feature, cuts, np.empty((0, 0)))
    segment = without_medians.segments(values, rows.names)
    medians = [_medians(values[segment == segment_index]) for segment_index in range(len(cuts) + 1)]
    columns = tuple(deciles(values[:, at]) for at in range(values.shape[1]))
    return TrainingProfile(len(picked), columns, peer_feature, cuts, np.stack(medians), until)


def outcome_ratio(predicted: Floats, truth: NDArray[Any], customers: NDArray[Any]) -> OutcomeRatio:
    """Return the observed over the predicted total of test rows, its error clustered by customer.

    The ratio of totals R = sum(y) / sum(m) has the linearised variance sum over customers of (sum of y - R m)^2 over
    sum(m)^2 (Cochran 1977, 6.3); the dispersion is Pearson's, as of a quasi-Poisson regression.

    Examples
    --------
    >>> outcome_ratio(np.array([0.5, 0.5, 0.5, 0.5]), np.array([1, 0, 1, 0]), np.array(["a", "b", "c", "d"]))
    OutcomeRatio(ratio=1.0, error=0.5, dispersion=0.5)
    """
    total = float(predicted.sum())
    ratio = float(truth.sum()) / total if total else 1.0
    residual = truth - ratio * predicted
    _, whose = np.unique(customers.astype(str), return_inverse=True)
    error = float(np.sqrt(np.square(np.bincount(whose, residual)).sum()) / total) if total else 0.0
    scale = float(np.square(residual).sum() / (ratio * total)) if ratio * total else 1.0
    return OutcomeRatio(ratio, error, scale)


def deciles(values: NDArray[Any]) -> Deciles:
    """Return a column's deciles and the share of its values in each bin.

    Examples
    --------
    >>> deciles(np.array([0.0, 0, 0, 0, 0, 0, 0, 0, 5, np.nan]))
    Deciles(edges=(0.0, 5.0), shares=(0.8, 0.1, 0.0, 0.1))
    """
    known = values[~np.isnan(values)]
    edges = _quantiles(known, N_BINS)
    return Deciles(edges, tuple((count_by_bin(values, edges) / max(len(values), 1)).tolist()))


def count_by_bin(values: NDArray[Any], edges: tuple[float, ...]) -> NDArray[np.int64]:
    """Return how many values lie in each bin, and last how many are missing."""
    missing = np.isnan(values)
    part = np.searchsorted(np.array(edges), values[~missing], side="left")
    counts = np.bincount(part, minlength=len(edges) + 1)
    return np.append(counts, missing.sum()).astype(np.int64)


def _quantiles(known: NDArray[Any], parts: int) -> tuple[float, ...]:
    if not len(known):
        return ()
    levels = np.arange(1, parts) / parts
    return tuple(np.unique(np.quantile(known, levels, method="inverted_cdf").astype(np.float64)).tolist())


def _medians(values: NDArray[np.float32]) -> Floats:
    """Return each column's median, NaN where more than half of the rows have no value."""
    if not len(values):
        return np.full(values.shape[1], np.nan)
    # NaN sorts last: the middle of a column that is mostly missing is missing.
    return np.asarray(np.sort(values, axis=0)[(len(values) - 1) // 2], np.float64)
