import numpy as np
import pytest

from sintonia.core.errors import InputError, NotEnoughDataError
from sintonia.uplift.logging_policy import estimate_logging_policy, logged_policy

N = 6000
RNG = np.random.default_rng(3)
VALUES = RNG.normal(size=(N, 3)).astype(np.float32)
CUSTOMER, NAMES = np.arange(N), ("none", "mail")
ROUNDS = np.repeat([0, 1], N // 2)


def test_where_chance_decided_the_rounds_shares_are_the_propensities():
    action = (RNG.random(N) < np.where(ROUNDS, 0.7, 0.2)).astype(np.int64)
    found = estimate_logging_policy(
        VALUES, action, rounds=ROUNDS, customer=CUSTOMER, names=NAMES, overlap=0.01
    )
    assert not found.targeted
    assert found.propensities[0, 1] == action[: N // 2].mean()
    assert found.propensities[-1, 1] == action[N // 2 :].mean()
    assert found.warning is not None
    assert "Observational" in found.warning
    assert "do not predict the action" in found.warning


def test_a_targeted_log_with_overlap_gets_each_customers_own_propensities_and_a_warning():
    chance = 1 / (1 + np.exp(-1.5 * VALUES[:, 0]))
    action = (RNG.random(N) < chance).astype(np.int64)
    found = estimate_logging_policy(
        VALUES, action, rounds=ROUNDS, customer=CUSTOMER, names=NAMES, overlap=0.01
    )
    assert found.targeted
    assert np.abs(found.propensities[:, 1] - chance).mean() < 0.06
    assert found.propensities.sum(axis=1) == pytest.approx(1)
    assert found.covered > 0.9
    assert "the features predict the action" in found.warning
    assert found.figures()["warning"] == found.warning


def test_a_targeted_log_without_overlap_is_refused():
    action = (VALUES[:, 0] > 0).astype(np.int64)
    with pytest.raises(NotEnoughDataError, match=r"targeted, and only \d+% of its decisions"):
        estimate_logging_policy(VALUES, action, rounds=ROUNDS, customer=CUSTOMER, names=NAMES, overlap=0.05)


@pytest.mark.parametrize("action", [0, 1])
def test_a_log_in_which_everybody_got_the_same_is_refused(action):
    with pytest.raises(NotEnoughDataError, match=f"are {NAMES[action]}: without a comparison group"):
        estimate_logging_policy(
            VALUES, np.full(N, action), rounds=ROUNDS, customer=CUSTOMER, names=NAMES, overlap=0.01
        )


def test_logged_propensities_that_chance_decided_are_taken_without_a_word():
    found = logged_policy(np.array([[0.5, 0.5], [0.8, 0.2], [1.0, 0.0]]), np.array([0, 1, 0]), NAMES)
    assert found.logged
    assert found.warning is None
    assert found.figures()["warning"] is None


@pytest.mark.parametrize(
    ("propensities", "words"),
    [
        ([[0.9, 0.9], [0.9, 0.9]], "2 of 2 decisions do not, the first sums to 1.8"),
        ([[0.5, 0.5], [0.33, 0.33]], "1 of 2 decisions do not, the first sums to 0.66"),
        ([[50.0, 50.0], [50.0, 50.0]], "2 of 2 decisions do not, the first sums to 100"),  # per cent
        ([[0.5, 0.5], [0.0, 0.0]], "1 of 2 decisions do not, the first sums to 0"),
    ],
)
def test_logged_propensities_that_do_not_sum_to_1_are_refused(propensities, words):
    with pytest.raises(InputError, match=words) as caught:
        logged_policy(np.array(propensities), np.array([0, 1]), NAMES)
    assert "\n" not in str(caught.value)


def test_propensities_rounded_in_the_seventh_digit_sum_to_1():
    rounded = np.array([[0.3333333, 0.3333333, 0.3333333]] * 3)
    assert logged_policy(rounded, np.arange(3), ("none", "mail", "sms")).warning is None


@pytest.mark.parametrize("certain", [1.0, 0.99999995])
def test_a_log_in_which_every_decision_was_certain_is_refused(certain):
    action = np.array([0, 1, 2] * 10)
    propensities = np.full((30, 3), (1 - certain) / 2)
    propensities[np.arange(30), action] = certain
    with pytest.raises(NotEnoughDataError, match="All 30 decisions of the log were certain") as caught:
        logged_policy(propensities, action, ("none", "mail", "sms"))
    assert "\n" not in str(caught.value)


def test_an_action_that_chance_never_decided_on_is_named_in_a_warning():
    propensities = np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    found = logged_policy(propensities, np.array([0, 1, 2]), ("none", "mail", "sms"))
    assert found.never_by_chance == ("sms",)
    assert "Chance never decided for 'sms'" in found.warning
    assert found.figures()["warning"] == found.warning
    assert found.logged
