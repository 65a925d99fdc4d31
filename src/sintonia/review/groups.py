"""How the model does in each group of customers, and what moves their scores, with intervals; where it is unfair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sintonia.arrays import Floats, Ints
from sintonia.estimates import TOTAL_OFF
from sintonia.intervals import Estimate, cluster_variance, normal_interval, rounded_estimate
from sintonia.segments import FEWEST, TOLERANCE

Names = NDArray[np.str_]

LISTED_FAMILIES = 3
MOST = 12
"""Groups of one attribute: the largest ones; more are too small to tell of."""
REACHED = 0.1
"""The share of customers, highest scores first, that a campaign is taken to reach: fairness is about whom it does."""


@dataclass(frozen=True)
class FamilySize:
    """A family's mean absolute contribution in a group, over the rows that were explained."""

    family: str
    size: Estimate


@dataclass(frozen=True)
class GroupResult:
    """One group of the test rows: `by` an attribute, `name` its value.

    `predicted` and `observed` are means of propensity and label (or of euros), `ranking` the AUC (None for amounts, and
    without both outcomes), `gap` observed less predicted; of amounts it is the total expected over true. `wrong`
    says that the gap surely lies outside the tolerance, `weak` that the AUC surely lies below that of all.
    """

    by: str
    name: str
    rows: int
    predicted: float
    observed: float
    ranking: Estimate | None
    gap: Estimate
    wrong: bool
    weak: bool
    families: tuple[FamilySize, ...]


@dataclass(frozen=True)
class Fairness:
    """Whom a campaign to the highest tenth would reach, by a sensitive attribute: least and most over its groups.

    Of `selection` (share reached), `found` (share reached of those with the outcome) and `misled` (share reached of
    those without) each holds the lowest and the highest rate; `ratio` is the lowest selection over the highest
    (fairlearn's demographic parity ratio), `odds` the larger of the two differences (its equalized odds difference).
    """

    by: str
    groups: tuple[str, ...]
    selection: tuple[float, ...]
    found: tuple[float, ...]
    misled: tuple[float, ...]
    ratio: float
    odds: float


@dataclass(frozen=True)
class ScoredTestRows:
    """The test rows as groups need them: labels (0 or 1, or euros), outcomes said, and whose rows they are."""

    label: Floats
    said: Floats
    customer: Ints
    amount: bool


def judge_groups(
    judged: ScoredTestRows,
    named: Mapping[str, Names],
    explained: tuple[NDArray[np.int64], Mapping[str, Floats]],
) -> tuple[GroupResult, ...]:
    """Return the groups of at least 100 rows, attribute by attribute, the largest first.

    Parameters
    ----------
    named
        By attribute each row's value, "" for none.  # (n_rows,)
    explained
        Places of the rows that were explained, and by family what it moved their scores by.
    """
    whole = None if judged.amount else auc(judged.label, judged.said, judged.customer)
    found = []
    for by, names in named.items():
        values, sizes = np.unique(names, return_counts=True)
        listed = sorted(zip(sizes.tolist(), values.tolist(), strict=True), key=lambda one: (-one[0], one[1]))
        for size, name in [one for one in listed if one[1]][:MOST]:
            if size >= FEWEST:
                found.append(_group(judged, (by, name), names == name, whole, explained))
    return tuple(found)


def _group(
    judged: ScoredTestRows,
    named: tuple[str, str],
    mine: NDArray[np.bool_],
    whole: Estimate | None,
    explained: tuple[NDArray[np.int64], Mapping[str, Floats]],
) -> GroupResult:
    label, said, customer = judged.label[mine], judged.said[mine], judged.customer[mine]
    ranking = None if judged.amount else auc(label, said, customer)
    gap = _total(label, said, customer) if judged.amount else _mean(label - said, customer)
    outside = gap.low > 1 + TOTAL_OFF or gap.high < 1 - TOTAL_OFF
    if not judged.amount:
        outside = gap.low > TOLERANCE or gap.high < -TOLERANCE
    place, sums = explained
    inside = mine[place]
    owner = judged.customer[place][inside]
    sizes = (
        {family: _mean(np.abs(moved[inside]), owner) for family, moved in sums.items()}
        if inside.any()
        else {}
    )
    top = sorted(sizes.items(), key=lambda one: -one[1].value)[:LISTED_FAMILIES]
    return GroupResult(
        by=named[0],
        name=named[1],
        rows=len(label),
        predicted=round(float(said.mean()), 6),
        observed=round(float(label.mean()), 6),
        ranking=ranking,
        gap=gap,
        wrong=outside,
        weak=bool(ranking and whole and ranking.high < whole.value),
        families=tuple(FamilySize(family, size) for family, size in top),
    )


def auc(label: Floats, said: Floats, customer: Ints) -> Estimate | None:
    """Return the AUC with its interval over customers; None without both outcomes.

    The interval is DeLong's with an observation's placements summed over its customer (Obuchowski 1997): exact enough
    to judge hundreds of groups without drawing anybody again.

    Examples
    --------
    >>> auc(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.3, 0.2, 0.9]), np.arange(4)).value
    0.75
    """
    positive = label > 0
    ones, zeros = np.sort(said[positive]), np.sort(said[~positive])
    if not len(ones) or not len(zeros):
        return None
    above = (np.searchsorted(zeros, said, "left") + np.searchsorted(zeros, said, "right")) / 2 / len(zeros)
    below = 1 - (np.searchsorted(ones, said, "left") + np.searchsorted(ones, said, "right")) / 2 / len(ones)
    value = float(above[positive].mean())
    influence = np.where(positive, (above - value) / len(ones), (below - value) / len(zeros))
    totals = np.bincount(np.unique(customer, return_inverse=True)[1], influence)
    error = float(np.sqrt((totals**2).sum() * len(totals) / max(len(totals) - 1, 1)))
    return normal_interval(value, error, least=0.0, most=1.0)


def _mean(values: Floats, customer: Ints) -> Estimate:
    codes = np.unique(customer, return_inverse=True)[1].astype(np.int64)
    variance = cluster_variance(values, codes, np.zeros(len(values), np.int64))[0]
    return normal_interval(float(values.mean()), float(np.sqrt(variance)))


def _total(label: Floats, said: Floats, customer: Ints) -> Estimate:
    """Return the total said over the true one, its variance linearised as that of a ratio of means."""
    if not label.sum():
        return rounded_estimate(1.0, 0.0, float(np.finfo(np.float32).max))
    ratio = float(said.sum() / label.sum())
    spread = _mean((said - ratio * label) / label.mean(), customer)
    half = spread.high - spread.value
    return rounded_estimate(ratio, ratio - half, ratio + half)


def judge_fairness(
    judged: ScoredTestRows, named: Mapping[str, Names], attributes: Sequence[str]
) -> tuple[Fairness, ...]:
    """Return whom the highest tenth reaches by each of the sensitive attributes that are known of the rows."""
    edge = np.quantile(judged.said, 1 - REACHED, method="inverted_cdf")
    reached = judged.said > edge if (judged.said > edge).any() else judged.said >= edge
    found = [_fairness(by, named[by], judged.label > 0, reached) for by in attributes if by in named]
    return tuple(one for one in found if one is not None)


def _fairness(by: str, names: Names, label: NDArray[np.bool_], reached: NDArray[np.bool_]) -> Fairness | None:
    values, sizes = np.unique(names, return_counts=True)
    groups = [
        name for name, size in zip(values.tolist(), sizes.tolist(), strict=True) if name and size >= FEWEST
    ]
    if len(groups) < 2:
        return None
    rates = np.array(
        [[_rate(reached, (names == name) & of) for name in groups] for of in (label | True, label, ~label)]
    )
    ends = [(float(np.nanmin(row)), float(np.nanmax(row))) for row in rates]
    gaps = [high - low for low, high in ends[1:]]
    return Fairness(
        by=by,
        groups=tuple(groups),
        selection=tuple(round(end, 4) for end in ends[0]),
        found=tuple(round(end, 4) for end in ends[1]),
        misled=tuple(round(end, 4) for end in ends[2]),
        ratio=round(ends[0][0] / ends[0][1], 4) if ends[0][1] else 1.0,
        odds=round(max(gaps), 4),
    )


def _rate(reached: NDArray[np.bool_], of: NDArray[np.bool_]) -> float:
    return float(reached[of].mean()) if of.any() else 0.0
