from dataclasses import replace

import numpy as np
import pytest

from sintonia.uplift.logged import Actions, LoggedDecisions
from sintonia.uplift.slopes import cross_fit_slopes, residuals

RNG = np.random.default_rng(8)
N = 6000
VALUES = RNG.normal(size=(N, 40)).astype(np.float32)
VALUES[:, 3] = 5  # tells nobody apart
MEASURE = RNG.uniform(1, 9, N)
FOLD = np.arange(N) % 3
SCALED = np.sign(VALUES[:, 0]) * np.log1p(np.abs(VALUES[:, 0]))
SHARES = np.column_stack([np.zeros(N), 0.3 + 0.5 * SCALED, np.full(N, -0.2)])
THIRDS = np.full((N, 3), 1 / 3)


def logged(shares=SHARES, actions=None, values=VALUES, propensities=THIRDS, seed=9):
    """Decisions whose reward is the measure, changed by a share of it, with noise of its size."""
    rng = np.random.default_rng(seed)
    action = (propensities.cumsum(axis=1) <= rng.random((len(values), 1))).sum(axis=1)
    rows = np.arange(len(values))
    reward = MEASURE * (1 + shares[rows, action]) + rng.normal(size=len(values)) * np.sqrt(MEASURE)
    return LoggedDecisions(
        values, action, reward, propensities, rows, actions or Actions.of(["none", "mail", "call"])
    )


def fitted(log, shares=SHARES):
    return cross_fit_slopes(log, MEASURE[:, None] * (1 + shares.mean(axis=0)), MEASURE, FOLD)


def test_the_one_slope_that_was_planted_is_found_among_forty_features_for_customers_in_left_out_folds():
    found = fitted(logged())
    assert not found.unseen[:, 0].any()
    assert found.unseen[:, 1].mean() == pytest.approx(0.3, abs=0.04)
    assert np.corrcoef(found.unseen[:, 1], SHARES[:, 1])[0, 1] > 0.97
    assert found.unseen[:, 2] == pytest.approx(np.full(N, -0.2), abs=0.1)
    slopes = found.full.coefficients[:, 1:]
    assert found.full.columns[np.abs(slopes).max(axis=0).argmax()] == 0
    assert slopes[1, found.full.columns.tolist().index(0)] == pytest.approx(0.5 * SCALED.std(), rel=0.15)


def test_where_nothing_differs_no_slope_is_claimed_and_mean_effects_stay():
    alike = np.tile([0.0, 0.3, -0.2], (N, 1))
    found = fitted(logged(alike), alike)
    assert not len(found.full.columns)
    assert found.full.coefficients[:, 0] == pytest.approx([0, 0.3, -0.2], abs=0.04)


def test_slopes_are_judged_by_rewards_of_customers_they_have_not_seen():
    log, expected = logged(), MEASURE[:, None] * (1 + SHARES.mean(axis=0))
    right = fitted(log)
    wrong = replace(right, unseen=-right.unseen)
    nothing = replace(right, unseen=np.zeros_like(right.unseen))
    losses = [one.losses(log, expected, MEASURE).mean() for one in (right, nothing, wrong)]
    assert losses == sorted(losses)
    told = (log.reward - (log.logging_propensities * expected).sum(axis=1)) ** 2 / MEASURE
    assert losses[1] == pytest.approx(told.mean())


def test_effects_times_what_tells_of_them_are_what_is_left_of_rewards_that_nothing_else_moves():
    log = logged()
    expected = MEASURE[:, None] * (1 + SHARES)
    sure = replace(log, reward=expected[np.arange(N), log.action])
    told, left = residuals(sure, expected, MEASURE)
    assert (told * SHARES[:, 1:]).sum(axis=1) == pytest.approx(left)
    # A decision counts as 1 / measure: whose reward varies nine times as much has a ninth of the square.
    root = np.sqrt(MEASURE)
    assert left * root == pytest.approx(sure.reward - expected.mean(axis=1))
    # Or as 1 / variance, where more is known of it: both sides shrink alike.
    variance = MEASURE * np.where(np.arange(N) % 2, 1, 4)
    other, rest = residuals(sure, expected, MEASURE, variance)
    assert other == pytest.approx(told / np.where(np.arange(N) % 2, 1, 2)[:, None])
    assert (other * SHARES[:, 1:]).sum(axis=1) == pytest.approx(rest)


def test_an_action_that_could_not_be_had_tells_nothing():
    log = logged(propensities=np.tile([0.5, 0.5, 0.0], (N, 1)))
    told, _ = residuals(log, np.zeros((N, 3)), MEASURE)
    assert not told[:, 1].any()
    assert told[:, 0].all()


def test_actions_that_share_an_attribute_share_what_is_learned_of_it():
    # Two gifts of three actions move the same customers, too little to be sure of either on its own.
    weak = np.column_stack([np.zeros(N), *[0.055 * SCALED / SCALED.std()] * 2, np.zeros(N)])
    quarters = np.full((N, 4), 1 / 4)
    names, costs = ("none", "scarf", "hat", "call"), np.zeros(4)
    told = Actions(names, costs, np.array([[0.0], [1.0], [1.0], [0.0]]), ("gift",))

    def found(actions):
        learned = [
            fitted(logged(weak, actions, propensities=quarters, seed=seed), weak).full for seed in range(2)
        ]
        said = np.mean([whole.predict(VALUES) for whole in learned], axis=0)
        return [np.polyfit(SCALED / SCALED.std(), said[:, at], 1)[0] for at in (1, 2, 3)]

    scarf, hat, call = found(told)
    assert min(scarf, hat) > 0.025
    assert abs(call) < 0.01
    assert min(found(Actions.of(names))) < min(scarf, hat)


def test_values_nobody_has_seen_count_as_the_farthest_seen_and_missing_ones_as_the_mean():
    whole = fitted(logged()).full
    strange = np.zeros((4, 40), np.float32)
    strange[:, 0] = 1e9, 1e12, np.nan, 0
    place = whole.columns.tolist().index(0)
    strange[3, 0] = np.expm1(abs(whole.center[place])) * np.sign(whole.center[place])
    far, farther, unknown, middle = whole.predict(strange)[:, 1]
    assert far == farther
    assert unknown == pytest.approx(middle, abs=1e-6)


def test_an_action_that_was_never_eligible_and_a_feature_of_a_few_rows_get_no_slope():
    values = VALUES.copy()
    values[:, 1] = 0
    values[:3, 1] = 1
    log = logged(values=values, propensities=np.tile([0.5, 0.5, 0.0], (N, 1)))
    whole = fitted(log).full
    assert not whole.coefficients[2].any()
    assert 1 not in whole.columns
