"""The matcher's weights, learned from the table itself by expectation-maximisation over its candidate pairs.

Three kinds of pair are told apart. For strangers a field agrees as often as chance has it (u); for one person
as often as spelling allows (m); for a household (two people of one home) fields of the home agree as for one
person and personal ones as for strangers. Without the third kind shared address, phone and surname would add
up to certainty. This is Fellegi and Sunter's model with u from random pairs (as Splink estimates it), less
the matches that small tables have among their random pairs, and with m and the shares of the kinds by EM.
"""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Floats, Ints

_MOST_BITS = 300.0
_TRUST = 1.0


@dataclass(frozen=True)
class FieldPairs:
    """One field over many pairs, and over all pairs of the table.

    `level` counts from 0 (same) to n_levels - 1 (different), n_levels where a value is missing; `surprise` is
    -log2 of the value's frequency where equality is weighed by it, otherwise NaN. `chance` is each degree's
    share among random pairs, `known` the number of the table's pairs in which both records have the field.
    """

    level: Ints  # (n_pairs,)
    surprise: Floats  # (n_pairs,)
    chance: Floats  # (n_levels,)
    known: float
    household: bool


@dataclass(frozen=True)
class Weights:
    """What was learned: m and u by field and degree (best first), the shares of matches and households."""

    m: dict[str, list[float]]
    u: dict[str, list[float]]
    match_share: float
    household_share: float
    iterations: int = 0


def learn(
    evidence: dict[str, FieldPairs], all_pairs: float, scale: float, most_iterations: int = 200
) -> Weights:
    """Return the weights under which the evidence is most likely, matches starting at one a record.

    Parameters
    ----------
    evidence
        By field. Pairs that are not among them count as strangers: they share no key.
    all_pairs
        Number of pairs of the table.
    scale
        How many candidate pairs each pair of the evidence stands for, 1 when it holds all of them.
    """
    m = {name: _first_guess(len(one.chance)) for name, one in evidence.items()}
    u = {name: one.chance for name, one in evidence.items()}
    match_share = household_share = 1 / (1 + (1 + 8 * all_pairs) ** 0.5)
    household_share /= 10
    iterations, before = 0, 0.0
    while iterations < most_iterations and abs(match_share - before) > 1e-4 * match_share:
        iterations, before = iterations + 1, match_share
        match, household = kinds(*bits(evidence, m, u), match_share, household_share)
        match_share = min(0.5, (scale * float(match.sum()) + 0.5) / all_pairs)
        household_share = min(0.25, (scale * float(household.sum()) + 0.5) / all_pairs)
        for name, one in evidence.items():
            agreed = _weighted_counts(one, match)
            m[name] = _shares(agreed + _TRUST * _first_guess(len(agreed)))
            related = agreed + _weighted_counts(one, household) if one.household else agreed
            u[name] = _chance(one, scale * related)
    plain_m, plain_u = ({name: x.tolist() for name, x in shares.items()} for shares in (m, u))
    return Weights(plain_m, plain_u, match_share, household_share, iterations)


def bits(
    evidence: dict[str, FieldPairs], m: dict[str, Floats], u: dict[str, Floats]
) -> tuple[Floats, Floats]:
    """Return log2(m / u) per pair, over personal and over household fields; a missing one adds nothing."""
    pairs = len(next(iter(evidence.values())).level)
    summed = {False: np.zeros(pairs), True: np.zeros(pairs)}
    for name, one in evidence.items():
        by_level = np.append(np.log2(m[name] / u[name]), 0.0)
        by_value = np.log2(m[name][0]) + one.surprise
        weighed = (one.level == 0) & np.isfinite(one.surprise)
        summed[one.household] += np.where(weighed, by_value, by_level[one.level])
    return summed[False], summed[True]


def kinds(
    personal: Floats, home: Floats, match_share: float, household_share: float
) -> tuple[Floats, Floats]:
    """Return the probabilities that a pair is one person, and that it is two of a household.

    Examples
    --------
    Ten bits for the home alone are no person, with as many households as matches; ten personal bits more are.

    >>> match, household = kinds(np.array([0.0, 10.0]), np.array([40.0, 40.0]), 1e-6, 1e-6)
    >>> match.round(3).tolist()
    [0.5, 0.999]
    """
    one = match_share * np.exp2(np.clip(personal + home, -_MOST_BITS, _MOST_BITS))
    two = household_share * np.exp2(np.clip(home, -_MOST_BITS, _MOST_BITS))
    total = one + two + (1 - match_share - household_share)
    return one / total, two / total


def _first_guess(levels: int) -> Floats:
    """Return m before any evidence: same in four of five matches, and every degree less half as often."""
    falling = 0.5 ** np.arange(levels - 1)
    return np.append(0.8, 0.2 * falling / falling.sum())


def _weighted_counts(one: FieldPairs, weight: Floats) -> Floats:
    levels = len(one.chance)
    counts: Floats = np.bincount(one.level, weight, levels + 1)[:levels].astype(np.float64)
    return counts


def _shares(counts: Floats) -> Floats:
    shares: Floats = counts / counts.sum()
    return shares


def _chance(one: FieldPairs, related: Floats) -> Floats:
    """Return u: what random pairs show less the related pairs among them.

    At least a fiftieth of what they show is left to chance, for the related pairs are an estimate too.
    """
    shown = one.chance * one.known
    return _shares(np.maximum(shown - related, shown / 50))
