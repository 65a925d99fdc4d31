"""Rewards without the luck of the basket: the mean stays, the luck goes, nobody tells of themselves."""

from dataclasses import replace

import numpy as np
import pytest

from sintonia.core.config import ModelConfig
from sintonia.uplift.denoised_rewards import denoised_rewards
from sintonia.uplift.learning import fit_slopes, learn_effects
from sintonia.uplift.logged import Actions, LoggedDecisions
from sintonia.uplift.slopes import cross_fit_slopes

RNG = np.random.default_rng(5)
N = 20_000
VALUES = RNG.normal(size=(N, 5)).astype(np.float32)
ACTION = RNG.integers(0, 2, N)
FOLD = np.arange(N) % 3
BASKETS = RNG.lognormal(-0.72, 1.2, N)  # of mean 1
SHARE = 0.25 * np.sign(VALUES[:, 0])
ORDERS = RNG.poisson(0.5 * (1 + SHARE * ACTION))
WORTH = 3 - 1.5 * ACTION  # a coupon takes half of every order
MODEL = ModelConfig(threads=1, max_trees=60)
LOG = LoggedDecisions(
    VALUES,
    ACTION,
    ORDERS * WORTH * BASKETS,
    np.full((N, 2), 0.5),
    np.arange(N),
    Actions.of(["none", "coupon"]),
    ORDERS,
)


@pytest.fixture(scope="module")
def steady():
    return denoised_rewards(LOG, FOLD, MODEL, seed=7).reward


def test_the_mean_under_each_action_stays_and_the_luck_of_the_basket_goes(steady):
    for action, worth in ((0, 3.0), (1, 1.5)):
        rows = action == ACTION
        assert steady[rows].mean() == pytest.approx(worth * ORDERS[rows].mean(), rel=0.03)
    assert steady.var() < 0.5 * LOG.reward.var()
    assert not steady[ORDERS == 0].any()


def test_an_action_that_moves_those_who_buy_cheaply_brings_what_it_brought():
    # Half of the customers buy at a third of the price, and the coupon makes them come twice as often.
    cheap = VALUES[:, 1] > 0
    orders = np.where(cheap & (ACTION == 1), 2, 1) * ORDERS
    log = replace(LOG, orders=orders, reward=orders * np.where(cheap, 1, 3) * WORTH / 3 * BASKETS)
    found = denoised_rewards(log, FOLD, replace(MODEL, feature_fraction=1.0), seed=7).reward
    for action in (0, 1):
        rows = action == ACTION
        assert found[rows].sum() == pytest.approx(log.reward[rows].sum())


def test_nobody_tells_of_their_own_orders_what_they_were_worth(steady):
    # In one fold orders are worth what a feature says, on average no more and no less under either action.
    more = np.zeros(N)
    for action in (0, 1):
        rows = (FOLD == 1) & (action == ACTION)
        more[rows] = 2 * ORDERS[rows] * (VALUES[rows, 1] - np.average(VALUES[rows, 1], weights=ORDERS[rows]))
    changed = denoised_rewards(replace(LOG, reward=LOG.reward + more), FOLD, MODEL, seed=7).reward - steady

    def slope(rows):
        return np.polyfit(VALUES[rows, 1], changed[rows] / ORDERS[rows], 1)[0]

    assert abs(slope((FOLD == 1) & (ORDERS > 0))) < 0.5 * slope((FOLD != 1) & (ORDERS > 0))


def test_slopes_of_what_an_action_changes_are_nearer_the_truth(steady):
    log = replace(LOG, reward=ORDERS * BASKETS)  # the coupon costs nothing here
    expected = np.tile(0.5, (N, 2))

    def miss(reward):
        said = cross_fit_slopes(replace(log, reward=reward), expected, np.full(N, 0.5), FOLD).unseen[:, 1]
        return float(((said - SHARE) ** 2).mean())

    assert miss(denoised_rewards(log, FOLD, MODEL, seed=7).reward) < 0.7 * miss(log.reward)


def test_slopes_come_from_steadied_rewards_unless_those_as_they_are_surely_tell_more():
    scales = {"expected": np.full((N, 2), 0.5), "scale": np.full(N, 0.5), "variance": np.full(N, 0.5)}
    log = replace(LOG, reward=ORDERS * BASKETS)

    def slopes(steady_reward, log=log):
        return fit_slopes(log, steady_reward, FOLD, **scales).full.coefficients.tolist()

    as_is = slopes(log.reward)
    assert slopes(1.0 * ORDERS) != as_is
    assert slopes(1.0 * ORDERS) == slopes(1.0 * ORDERS, replace(log, reward=1.0 * ORDERS))
    assert slopes(ORDERS * (1 - 2 * SHARE * ACTION)) == as_is  # the coupon would move the wrong ones


def test_effects_of_a_log_that_tells_orders_are_nearer_the_truth():
    log = replace(LOG, reward=ORDERS * BASKETS)
    truth = 0.5 * SHARE

    def miss(orders):
        told = replace(log, orders=orders)
        learned = [learn_effects(told, MODEL, folds=3, seed=seed).predict(VALUES)[:, 1] for seed in (7, 8)]
        return float(np.mean([(said - truth) ** 2 for said in learned]))

    assert miss(ORDERS) < 0.8 * miss(None)


def test_rewards_not_made_of_orders_or_of_hardly_any_are_left_as_they_are():
    for orders in (None, np.where(np.arange(N) < 100, ORDERS, 0)):
        found = denoised_rewards(replace(LOG, orders=orders), FOLD, MODEL, seed=7)
        assert found.reward is LOG.reward
        assert (found.worth == 1).all()


def test_an_order_is_worth_what_its_customers_features_say_without_an_action():
    rich = VALUES[:, 2] > 0
    log = replace(LOG, reward=LOG.reward * np.where(rich, 2, 1))
    quick = ModelConfig(threads=1, max_trees=60, feature_fraction=1.0, learning_rate=0.2)
    worth = denoised_rewards(log, FOLD, quick, seed=7).worth
    assert worth[rich].mean() == pytest.approx(6, rel=0.15)
    assert worth[~rich].mean() == pytest.approx(3, rel=0.25)
    assert worth.min() > 0
