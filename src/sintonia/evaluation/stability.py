"""What moves the score, all in all: families, dependence with its strongest interaction, and whether it stays so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.explain.contributions import Contributions, FeatureValues, importance

DEPENDENCES, POINTS = 6, 300
SLICES = 8
"""Slices of a feature's values within which contributions differ by other features alone."""
LEAST_SHARE = 0.05
STABLE_FEATURES = 8


@dataclass(frozen=True)
class FamilyWeight:
    """A family of features with the mean size of what it moves the raw score by, its features' effects added up."""

    family: str
    features: int
    mean_absolute: float


@dataclass(frozen=True)
class Dependence:
    """One feature's contributions against its values, over a sample; `missing` are those where it has none.

    `other` is the feature that explains the largest `share` of the spread between contributions at equal values,
    None where none explains a twentieth; `ranks` are the ranks (0 to 1) of its values at the same points.
    """

    feature: str
    values: tuple[float, ...]
    contributions: tuple[float, ...]
    ranks: tuple[float | None, ...]
    missing: tuple[float, ...]
    other: str | None
    share: float


@dataclass(frozen=True)
class DateStability:
    """Mean absolute contributions at each as-of date, and the rank correlation of all features with the last date's.

    `sizes` has for each feature one figure a date.
    """

    as_of: tuple[str, ...]
    rank_correlation: tuple[float, ...]
    sizes: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class FamilyStability:
    """Whether models that learnt until other dates tell the same story of the same rows.

    `models` are named by the date that judged them, the one under review last. `shares` has for each family one share
    a model of all that moves the scores; `common` is how much of its story each model has in common with the
    last: the lesser of both shares, added up over the families.
    """

    models: tuple[str, ...]
    common: tuple[float, ...]
    shares: dict[str, tuple[float, ...]]


def family_sums(found: Contributions, families: Mapping[str, str]) -> dict[str, Floats]:
    """Return by family what its features together move each row's score by, in the order of their importance."""
    of = np.array([families.get(name, "") for name in found.names])
    sums = {name: found.values[:, of == name].sum(axis=1) for name in dict.fromkeys(of.tolist())}
    return dict(sorted(sums.items(), key=lambda one: -float(np.abs(one[1]).mean())))


def family_weights(found: Contributions, families: Mapping[str, str]) -> tuple[FamilyWeight, ...]:
    """Return the families that move the score, largest first."""
    used = [families.get(name, "") for name, size in importance(found) if size > 0]
    sizes = {name: float(np.abs(moved).mean()) for name, moved in family_sums(found, families).items()}
    return tuple(
        FamilyWeight(name, used.count(name), round(size, 6)) for name, size in sizes.items() if size > 0
    )


def family_stability(sizes: Mapping[str, Mapping[str, float]]) -> FamilyStability:
    """Return whether models tell the same story, by how far each family moves their scores, the last under review.

    Examples
    --------
    >>> found = family_stability({"2026-01-01": {"rfm": 3.0, "trust": 1.0}, "now": {"rfm": 2.0, "trust": 2.0}})
    >>> found.common, found.shares
    ((0.75, 1.0), {'rfm': (0.75, 0.5), 'trust': (0.25, 0.5)})
    """
    *_, last = sizes.values()
    names = dict.fromkeys([*last, *(name for of in sizes.values() for name in of)])
    found = np.array([[of.get(name, 0.0) for name in names] for of in sizes.values()])
    totals = np.array([sum(of.values()) for of in sizes.values()])
    shares = np.divide(found, totals[:, None], out=np.zeros(found.shape), where=totals[:, None] > 0)
    common = np.minimum(shares, shares[-1]).sum(axis=1) if totals[-1] else np.ones(len(shares))
    return FamilyStability(
        models=tuple(sizes),
        common=tuple(np.round(common, 4).tolist()),
        shares={name: tuple(np.round(shares[:, at], 4).tolist()) for at, name in enumerate(names)},
    )


def feature_dependences(found: Contributions, features: FeatureValues, seed: int) -> tuple[Dependence, ...]:
    """Return how the most important features work, each with the feature it works together with most."""
    values = np.asarray(features, np.float64)
    moving = [found.names.index(name) for name, size in importance(found) if size > 0]
    picked = np.random.default_rng(seed).permutation(len(values))[:POINTS]
    return tuple(_dependence(found, values, at, moving, picked) for at in moving[:DEPENDENCES])


def _dependence(
    found: Contributions, values: Floats, at: int, moving: Sequence[int], picked: NDArray[np.int64]
) -> Dependence:
    others = [one for one in moving if one != at]
    shares = interaction_shares(values[:, at], found.values[:, at], values[:, others])
    best = int(shares.argmax()) if len(shares) else -1
    other = others[best] if best >= 0 and shares[best] >= LEAST_SHARE else None
    own, moved = values[picked, at], found.values[picked, at]
    known = ~np.isnan(own)
    order = np.argsort(own[known], kind="stable")
    ranks: list[float | None] = [None] * int(known.sum())
    if other is not None:
        ranks = _ranks(values[picked, other][known][order])
    return Dependence(
        feature=found.names[at],
        values=tuple(_short(own[known][order])),
        contributions=tuple(_short(moved[known][order])),
        ranks=tuple(ranks),
        missing=tuple(_short(np.sort(moved[~known]))),
        other=None if other is None else found.names[other],
        share=round(float(shares[best]), 4) if other is not None else 0.0,
    )


def interaction_shares(own: Floats, moved: Floats, others: Floats) -> Floats:
    """Return for each other feature the share of the spread at equal values of `own` that it explains.  # (n_others,)

    Contributions differ at equal values only by what the feature does together with others. Within slices of equal
    mass, by the rank of `own`, the squared correlation with each other feature's values is weighted by the slice's
    spread, as `shap.approximate_interactions` sums correlations over such slices; a missing value stands below all.
    """
    order = np.argsort(own, kind="stable")
    explained, spread = np.zeros(others.shape[1]), 0.0
    lowest = np.nanmin(others, axis=0, initial=0.0) - 1
    for part in np.array_split(order, min(SLICES, max(len(own) // 25, 1))):
        trend = _trend(own[part], moved[part])
        rest = moved[part] - trend
        filled = np.where(np.isnan(others[part]), lowest, others[part])
        deviation = filled - filled.mean(axis=0)
        norm = np.sqrt((deviation**2).sum(axis=0) * (rest**2).sum())
        together = np.divide(rest @ deviation, norm, out=np.zeros(len(norm)), where=norm > 1e-12)
        weight = float((rest**2).sum())
        explained += weight * together**2
        spread += weight
    shares: Floats = explained / spread if spread > 1e-12 else explained
    return shares


def _trend(own: Floats, moved: Floats) -> Floats:
    """Return what a straight line through a slice says: the feature's own work within it."""
    known = ~np.isnan(own)
    line = np.full(len(own), moved.mean())
    if known.sum() > 2 and own[known].std() > 0:
        slope = np.polyfit(own[known], moved[known], 1)
        line[known] = np.polyval(slope, own[known])
    return line


def date_stability(found: Mapping[str, Contributions], features: int = STABLE_FEATURES) -> DateStability:
    """Return whether the same features move the score at every date, dates given oldest first."""
    from scipy.stats import rankdata

    sizes = {as_of: np.abs(one.values).mean(axis=0) for as_of, one in found.items()}
    last = list(found)[-1]
    names = found[last].names
    used = np.any([one > 0 for one in sizes.values()], axis=0)
    ranks = {as_of: rankdata(one[used]) for as_of, one in sizes.items()}
    agreement = {as_of: _correlation(one, ranks[last]) for as_of, one in ranks.items()}
    top = np.argsort(-np.mean(list(sizes.values()), axis=0), kind="stable")[:features]
    return DateStability(
        as_of=tuple(sizes),
        rank_correlation=tuple(round(one, 4) for one in agreement.values()),
        sizes={
            names[at]: tuple(round(float(one[at]), 6) for one in sizes.values()) for at in top if used[at]
        },
    )


def _correlation(one: Floats, other: Floats) -> float:
    return float(np.corrcoef(one, other)[0, 1]) if one.std() and other.std() else 1.0


def _ranks(values: Floats) -> list[float | None]:
    from scipy.stats import rankdata

    known = ~np.isnan(values)
    scaled = np.full(len(values), np.nan)
    scaled[known] = (rankdata(values[known]) - 1) / max(int(known.sum()) - 1, 1)
    return [None if np.isnan(rank) else round(float(rank), 3) for rank in scaled]


def _short(values: NDArray[Any]) -> list[float]:
    """Return four significant digits: more, no plot shows."""
    return [float(f"{value:.4g}") for value in values.tolist()]
