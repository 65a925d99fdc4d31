"""What a model's training rows were like: deciles of each feature, and medians of peers; kept with the model.

Reasons set a customer's number beside that of people like them, and drift is how far the customers scored lie from
these deciles.
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

SAMPLE = 100_000
"""Rows that deciles are taken from: a tenth then holds 10,000 of them, known to a part in a hundred."""

PARTS, SEGMENTS = 10, 3
PEER_FEATURES = ("profile__tenure", "rfm__days_since_first_purchase")
"""Peers are those who have been with the brand for about as long: the first of these that the model reads."""


@dataclass(frozen=True)
class Deciles:
    """A column's deciles: parts (.., e1], (e1, e2], ..., (ek, ..) and what share of the rows lay in each.

    The last share is that of rows without a value. Deciles that fall together are one edge: of a feature that is 0
    for most, the first part holds them.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class OutcomeRatio:
    """What came of what the model said of the test rows: true total over said total, and its standard error.

    `dispersion` is how much an outcome varies about what is expected of it, in units of that (1: as counts do).
    """

    ratio: float = 1.0
    error: float = 0.0
    dispersion: float = 1.0


@dataclass(frozen=True)
class TrainingProfile:
    """The training rows: each feature's deciles, of how many `rows`, and its medians among peers.

    Peers lie in the same part of `peer_feature` ("": all are one), cut at `cuts`; `medians` is (n_segments,
    n_features), NaN where half of them have no value. `until` is where the data ended that training read. `outcome`
    has the deciles of what the model said of the test rows, and `judged` what came of it; None where nobody judged
    it.
    """

    rows: int
    columns: tuple[Deciles, ...]
    peer_feature: str
    cuts: tuple[float, ...]
    medians: Floats
    until: datetime | None = None
    outcome: Deciles | None = None
    judged: OutcomeRatio | None = None

    def of_columns(self, columns: Sequence[int]) -> "TrainingProfile":
        """Return the reference with the deciles of these columns alone, for rows that have no others."""
        return replace(self, columns=tuple(self.columns[at] for at in columns))

    def segments(self, values: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.intp]:
        """Return which people each row is like.  # (n_rows, n_features) to (n_rows,)"""
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
            "medians": [[None if np.isnan(one) else one for one in row] for row in self.medians.tolist()],
            "until": None if self.until is None else self.until.isoformat(),
            "outcome": None if self.outcome is None else asdict(self.outcome),
            "judged": None if self.judged is None else asdict(self.judged),
        }

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> "TrainingProfile":
        """Return what `as_plain` gave.

        Raises
        ------
        InputError
            When these values are no reference.
        """
        try:
            return cls(
                rows=int(told["rows"]),
                columns=tuple(
                    Deciles(tuple(edges), tuple(shares))
                    for edges, shares in zip(told["edges"], told["shares"], strict=True)
                ),
                peer_feature=told["alike"],
                cuts=tuple(told["cuts"]),
                medians=np.array(told["medians"], np.float64),
                until=None if told["until"] is None else datetime.fromisoformat(told["until"]),
                outcome=None
                if (outcome := told["outcome"]) is None
                else Deciles(tuple(outcome["edges"]), tuple(outcome["shares"])),
                judged=None if told["judged"] is None else OutcomeRatio(**told["judged"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"The model's reference cannot be read ({error!r}); train it again.") from None


def fit_training_profile(rows: Dataset, seed: int, until: datetime | None = None) -> TrainingProfile:
    """Return the reference of training rows: of a sample of them where they are many.

    `until` is where the data ended that they come from.
    """
    picked = np.arange(len(rows))
    if len(picked) > SAMPLE:
        picked = np.sort(np.random.default_rng(seed).choice(len(rows), SAMPLE, replace=False))
    values = rows.values[picked]
    peer_feature = next((name for name in PEER_FEATURES if name in rows.names), "")
    cuts: tuple[float, ...] = ()
    if peer_feature:
        known = values[:, rows.names.index(peer_feature)]
        cuts = _quantiles(known[~np.isnan(known)], SEGMENTS)
    bare = TrainingProfile(len(picked), (), peer_feature, cuts, np.empty((0, 0)))
    segment = bare.segments(values, rows.names)
    medians = [_medians(values[segment == one]) for one in range(len(cuts) + 1)]
    columns = tuple(deciles(values[:, at]) for at in range(values.shape[1]))
    return TrainingProfile(len(picked), columns, peer_feature, cuts, np.stack(medians), until)


def outcome_ratio(said: Floats, truth: NDArray[Any], customers: NDArray[Any]) -> OutcomeRatio:
    """Return what came of what was said of test rows, customers being what is drawn at random.

    The ratio of totals R = sum(y) / sum(m) has the linearised variance sum over customers of (sum of y - R m)^2 over
    sum(m)^2 (Cochran 1977, 6.3); the dispersion is Pearson's, as of a quasi-Poisson regression.

    Examples
    --------
    >>> outcome_ratio(np.array([0.5, 0.5, 0.5, 0.5]), np.array([1, 0, 1, 0]), np.array(["a", "b", "c", "d"]))
    OutcomeRatio(ratio=1.0, error=0.5, dispersion=0.5)
    """
    total = float(said.sum())
    ratio = float(truth.sum()) / total if total else 1.0
    off = truth - ratio * said
    _, whose = np.unique(customers.astype(str), return_inverse=True)
    error = float(np.sqrt(np.square(np.bincount(whose, off)).sum()) / total) if total else 0.0
    scale = float(np.square(off).sum() / (ratio * total)) if ratio * total else 1.0
    return OutcomeRatio(ratio, error, scale)


def deciles(values: NDArray[Any]) -> Deciles:
    """Return a column's deciles and what share of its values lies between them.

    Examples
    --------
    >>> deciles(np.array([0.0, 0, 0, 0, 0, 0, 0, 0, 5, np.nan]))
    Deciles(edges=(0.0, 5.0), shares=(0.8, 0.1, 0.0, 0.1))
    """
    known = values[~np.isnan(values)]
    edges = _quantiles(known, PARTS)
    return Deciles(edges, tuple((count_by_bin(values, edges) / max(len(values), 1)).tolist()))


def count_by_bin(values: NDArray[Any], edges: tuple[float, ...]) -> NDArray[np.int64]:
    """Return how many values lie in each part, and last how many are missing."""
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
