"""What a study reports by action and by kind of customer, worked by hand on decisions that were drawn evenly."""

import numpy as np
import pytest

from sintonia.uplift.effects import EffectEnsemble, Effects
from sintonia.uplift.forests import OutcomeTrees
from sintonia.uplift.logged import Actions, LoggedDecisions
from sintonia.uplift.policies import constant_policy
from sintonia.uplift.report import effect_segments, report
from sintonia.uplift.slopes import LinearEffects

N = 400
KEEN = np.arange(N) % 2  # every second customer; a mail makes these spend 6, the others 2 more
FEATURES = np.column_stack([np.full(N, 7.0), KEEN, np.full(N, np.nan)]).astype(np.float32)
ACTIONS = Actions.of(["none", "mail", "gift"], [0.0, 1.0, 0.5])


def _log():
    shares = np.tile([0.5, 0.5, 0.0], (N, 1))
    shares[:100] = [0.25, 0.25, 0.5]  # the first hundred could have had a gift
    action = np.where(np.arange(N) % 4 < 2, 0, 1)
    action[:100] = np.arange(100) % 4 // 2 * 2  # 0, 0, 2, 2
    reward = 10.0 + np.where(action == 1, 2 + 4 * KEEN, 0) + np.where(action == 2, 3, 0)
    return LoggedDecisions(FEATURES, action, reward, shares, np.arange(N), ACTIONS)


@pytest.fixture(scope="module")
def told():
    flat = LinearEffects(np.zeros(0, int), np.zeros(0), np.zeros(0), np.zeros((3, 1)))
    none = OutcomeTrees(None)
    means, weights = np.zeros((3, 3)), np.zeros(3)
    nothing = EffectEnsemble(none, flat, none, np.array([0, 4.0, 3]), None, means, weights)
    effects = Effects(nothing, (nothing, nothing), ACTIONS, np.ones(3), np.eye(3), np.zeros(3))
    log = _log()
    return report(
        log, np.ones(N, bool), effects, constant_policy(log.eligible, 1), constant_action=1, passed=False
    )


def test_each_action_tells_how_it_was_logged_and_how_much_can_be_judged_by_it(told):
    mail, gift = told.actions
    assert (mail.logged, mail.eligible) == (150, 400)
    assert (gift.logged, gift.eligible) == (50, 100)
    assert gift.propensity == (0.5, 0.5, 0.5)
    assert mail.propensity == (0.25, 0.25, 0.5)
    assert (gift.effective, gift.largest) == (50, 2)
    assert mail.predicted == 4


def test_the_observed_effect_is_the_difference_of_weighted_means_with_the_cost_left_on(told):
    # Nobody expects anything: scores are rewards over propensities, of those who had the action.
    gift = told.actions[1].observed
    assert gift.value == pytest.approx((50 * 13 / 0.5 - 50 * 10 / 0.25) / 100)
    assert gift.low < gift.value < gift.high


def test_segments_are_cut_by_the_feature_the_score_moves_with_and_tell_each_part_s_effects():
    log = _log().take(np.arange(100, N))  # a mail or nothing, evenly
    brings = np.column_stack([np.full(300, 10.0), 10 + 2 + 4 * KEEN[100:] - 1, np.zeros(300)])
    cold, keen = effect_segments(log, brings, score=KEEN[100:].astype(float))
    assert [(one.feature, one.low, one.high, one.decisions) for one in (cold, keen)] == [
        (1, 0, 0, 150),
        (1, 1, 1, 150),
    ]
    assert [one.effects[0].value for one in (cold, keen)] == [2, 6]  # the cost of 1 is not taken off
    assert cold.effects[1] is None  # nobody could have had a gift
    assert effect_segments(log, brings, score=np.zeros(300)) == ()


def test_the_constant_policy_is_chosen_where_the_other_did_not_pass(told):
    assert told.policy_probabilities[:, 1].all()
    assert told.policy_values["chosen"].against_constant.value == 0
