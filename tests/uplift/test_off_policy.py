import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.uplift.folds import fold_of
from sintonia.uplift.logged import Actions, LoggedDecisions
from sintonia.uplift.off_policy import (
    difference,
    doubly_robust,
    doubly_robust_scores,
    gain_curve,
    ips,
    overlap,
    snips,
)
from sintonia.uplift.policies import best_gain, with_floor
from uplift.planted import planted

LOG = LoggedDecisions(
    values=np.zeros((4, 1), np.float32),
    action=np.array([0, 1, 1, 0]),
    reward=np.array([1.0, 4.0, 2.0, 0.0]),
    logging_propensities=np.array([[0.5, 0.5], [0.75, 0.25], [0.5, 0.5], [0.5, 0.5]]),
    customer=np.arange(4),
    actions=Actions.of(["none", "mail"], [0.0, 1.0]),
)
ALWAYS_MAIL = np.tile([0.0, 1.0], (4, 1))


def test_inverse_propensity_scores_worked_by_hand():
    # Mail was sent twice, at 1/4 and 1/2: (4 * 3 + 2 * 1) / 4, and over the weights' sum 14 / 6.
    assert ips(LOG, ALWAYS_MAIL).value == pytest.approx(14 / 4)
    assert snips(LOG, ALWAYS_MAIL).value == pytest.approx(14 / 6)


def test_doubly_robust_scores_worked_by_hand():
    expected = np.array([[1.0, 2.0]] * 4)
    found = doubly_robust_scores(LOG, expected)
    assert found.tolist() == [[1.0, 1.0], [1.0, 2 + 2 / 0.25 - 1], [1.0, 1.0], [1 - 1 / 0.5, 1.0]]
    assert doubly_robust(found, ALWAYS_MAIL, LOG.customer).value == pytest.approx((1 + 9 + 1 + 1) / 4)


@st.composite
def logs(draw):
    n, k = draw(st.integers(2, 12)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shares = rng.dirichlet(np.ones(k), n) * 0.9 + 0.1 / k
    action = np.array([rng.choice(k, p=row) for row in shares])
    actions = Actions.of(["none", "a", "b", "c"][:k], np.r_[0, rng.random(k - 1)])
    log = LoggedDecisions(
        np.zeros((n, 1), np.float32), action, rng.normal(size=n), shares, rng.integers(0, 5, n), actions
    )
    return log, rng.dirichlet(np.ones(k), n), rng.normal(size=(n, k))


@settings(deadline=None)
@given(logs())
def test_values_and_intervals_agree_with_a_brute_force_implementation(made):
    log, policy, expected = made
    weighed, weights, robust = [], [], []
    for row in range(len(log)):
        done, share = int(log.action[row]), float(log.logging_propensities[row, log.action[row]])
        net = float(log.reward[row]) - float(log.actions.costs[done])
        weights.append(float(policy[row, done]) / share)
        weighed.append(weights[-1] * net)
        value = sum(
            float(policy[row, a]) * (float(expected[row, a]) - float(log.actions.costs[a]))
            for a in range(len(log.actions))
        )
        robust.append(value + weights[-1] * (float(log.reward[row]) - float(expected[row, done])))
    for found, values in (
        (ips(log, policy), weighed),
        (doubly_robust(doubly_robust_scores(log, expected), policy, log.customer), robust),
    ):
        mean = math.fsum(values) / len(values)
        assert found.value == pytest.approx(mean, abs=1e-9)
        low, high = _brute_interval(values, log.customer.tolist(), mean)
        assert (found.low, found.high) == (pytest.approx(low, abs=1e-8), pytest.approx(high, abs=1e-8))
    assert snips(log, policy).value == pytest.approx(math.fsum(weighed) / math.fsum(weights), abs=1e-9)


def _brute_interval(values, customers, mean):
    from scipy.stats import t as student

    distinct = sorted(set(customers))
    if len(distinct) < 2:
        return -math.inf, math.inf
    squares = sum(
        sum(value - mean for value, customer in zip(values, customers, strict=True) if customer == one) ** 2
        for one in distinct
    )
    error = math.sqrt(len(distinct) / (len(distinct) - 1) * squares) / len(values)
    reach = student.ppf(0.975, len(distinct) - 1) * error
    return mean - reach, mean + reach


@settings(deadline=None)
@given(logs())
def test_the_value_of_the_logging_policy_is_the_mean_net_reward(made):
    log, _, _ = made
    mean = (log.reward - log.actions.costs[log.action]).mean()
    assert ips(log, log.logging_propensities).value == pytest.approx(mean)
    assert snips(log, log.logging_propensities).value == pytest.approx(mean)


def test_a_policy_far_from_the_log_rests_on_few_decisions():
    assert overlap(LOG, LOG.logging_propensities).effective == pytest.approx(4)
    found = overlap(LOG, ALWAYS_MAIL)
    assert (found.effective, found.largest) == (pytest.approx(6**2 / (4**2 + 2**2)), 4.0)


def coverage(replications, seed, customers=400, decisions=3):
    """How often the 95 % intervals of a policy's doubly robust value and of its difference hold the truth."""
    population, truth = planted(200_000, 0.5, seed=1)
    net = truth - population.actions.costs
    own, other = (_floored(population, shift) for shift in (0.0, 0.5))
    true = float((own * net).sum(axis=1).mean()), float(((own - other) * net).sum(axis=1).mean())
    held = np.zeros(2)
    for replication in range(replications):
        log, _ = planted(customers, 0.5, seed=seed + replication, decisions=decisions)
        own, other = _floored(log, 0.0), _floored(log, 0.5)
        brings = doubly_robust_scores(log, _regression(log))
        found = (
            doubly_robust(brings, own, log.customer),
            difference(brings, own, other, log.customer),
        )
        held += [one.low <= value <= one.high for one, value in zip(found, true, strict=True)]
    return held / replications


def _floored(log, shift):
    gains = np.column_stack(
        [np.zeros(len(log)), log.values[:, 0], log.values[:, 1] - shift, np.zeros(len(log))]
    )
    return with_floor(best_gain(gains, log.eligible), log.eligible, 0.05)


def _regression(log):
    """Expected rewards by least squares on other customers: misspecified, as every model is."""
    fold = fold_of(log.customer, 2, salt=3)
    found = np.empty(log.logging_propensities.shape)
    for one in range(2):
        for action in range(len(log.actions)):
            taught = (fold != one) & (log.action == action)
            design = np.column_stack([np.ones(len(log)), log.values[:, 2]])
            weights = np.linalg.lstsq(design[taught], log.reward[taught], rcond=None)[0]
            found[fold == one, action] = design[fold == one] @ weights
    return found


@pytest.mark.slow
def test_intervals_of_the_doubly_robust_value_cover_the_truth_as_often_as_they_say():
    # 400 replications: a coverage of 95 % is seen between 92.5 % and 97.5 % with 98 % probability.
    held = coverage(400, seed=1000)
    assert ((held >= 0.925) & (held <= 0.975)).all(), held


def test_a_policy_that_does_nothing_the_log_knows_has_no_value():
    assert math.isnan(snips(LOG, np.zeros((4, 2))).value)


@st.composite
def rankings(draw):
    n, k = draw(st.integers(2, 9)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    score = rng.integers(0, draw(st.integers(1, 9)), n) / 4  # few values, many equal
    return score, rng.integers(0, k, n), rng.normal(size=(n, k)), rng.integers(0, 4, n)


def _brute(score, recommended, scores):
    """Shares and gains of all policies that treat whole groups of equal scores, best first, and the areas between."""
    n = len(score)
    points = [(0.0, 0.0)]
    for least in sorted(set(score.tolist()), reverse=True):
        treated = [row for row in range(n) if score[row] >= least]
        with_it = sum(scores[row, recommended[row]] if row in treated else scores[row, 0] for row in range(n))
        points.append((len(treated) / n, (with_it - sum(scores[row, 0] for row in range(n))) / n))
    area = sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points))
    return points, area


@settings(deadline=None)
@given(rankings())
def test_curve_and_areas_agree_with_the_values_of_all_its_policies(made):
    score, recommended, scores, customer = made
    points, area = _brute(score, recommended, scores)
    curve = gain_curve(score, recommended, scores, customer)
    assert curve.share == pytest.approx([share for share, _ in points], abs=1e-9)
    assert curve.gain == pytest.approx([gain for _, gain in points], abs=1e-9)
    assert curve.auuc.value == pytest.approx(area, abs=1e-9)
    assert curve.qini.value == pytest.approx(area - points[-1][1] / 2, abs=1e-9)
    tenths = curve.at(np.arange(1, 11) / 10)
    assert [one.value for one in curve.deciles] == pytest.approx(tenths, abs=1e-9)


@settings(deadline=None)
@given(rankings())
def test_a_ranking_without_differences_is_as_good_as_chance(made):
    score, recommended, scores, customer = made
    assert gain_curve(np.zeros_like(score), recommended, scores, customer).qini.value == pytest.approx(0)


def test_the_other_way_round_the_qini_has_the_other_sign():
    rng = np.random.default_rng(2)
    score, scores = rng.normal(size=50), rng.normal(size=(50, 2))
    one, other = (gain_curve(way * score, np.ones(50, int), scores, np.arange(50)) for way in (1, -1))
    assert one.qini.value == pytest.approx(-other.qini.value)
    assert one.at(np.array([1.0])) == pytest.approx(other.at(np.array([1.0])))
