import numpy as np
import pytest

from sintonia.core.errors import NotEnoughDataError
from sintonia.uplift.logging_policy import estimate_logging_policy

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
