"""Values of policies, worked by hand."""

import numpy as np
import pandas as pd
import pytest

import sintonia as sn

LOG = pd.DataFrame(
    {
        "action": ["none", "mail", "mail", "none"],
        "reward": [1.0, 4.0, 2.0, 3.0],
        "logging_propensity": [0.5, 0.5, 0.25, 0.75],
    }
)
ACTIONS = ["none", "mail"]


def test_inverse_propensity_scores_weigh_what_the_policy_would_have_done():
    found = sn.policy_value(["mail"] * 4, LOG, actions=ACTIONS)
    assert (found.method, found.policy.value) == ("IPS", (4 / 0.5 + 2 / 0.25) / 4)
    assert found.logged.value == 2.5


def test_expected_rewards_make_the_value_doubly_robust():
    expected = np.tile([1.0, 3.0], (4, 1))
    found = sn.policy_value(["mail"] * 4, LOG, actions=ACTIONS, expected=expected)
    assert found.policy.value == pytest.approx((3 + (4 - 3) / 0.5 + 3 + (2 - 3) / 0.25 + 3 + 3) / 4)


def test_chosen_actions_probabilities_and_a_function_say_the_same():
    chosen = sn.policy_value(["mail"] * 4, LOG, actions=ACTIONS)
    assert sn.policy_value(np.tile([0.0, 1.0], (4, 1)), LOG, actions=ACTIONS) == chosen
    assert sn.policy_value(lambda log: ["mail"] * len(log), LOG, actions=ACTIONS) == chosen
    assert "policy" in str(chosen)
    assert "<table" in chosen._repr_html_()


@pytest.mark.parametrize(
    ("policy", "log", "message"),
    [
        (["mial"] * 4, LOG, "Unknown action 'mial'; did you mean 'mail'"),
        (["mail"], LOG, "chose 1 actions for 4 decisions"),
        (np.full((4, 2), 0.6), LOG, "sum to 1"),
        (["mail"] * 4, LOG.assign(logging_propensity=0.0), "not in \\(0, 1\\]"),
        (["mail"] * 4, LOG.drop(columns="reward"), "no column 'reward'"),
    ],
)
def test_what_does_not_fit_is_refused(policy, log, message):
    with pytest.raises(sn.SintoniaError, match=message):
        sn.policy_value(policy, log, actions=ACTIONS)
