"""Documents of earlier versions are read under the names of today."""

from sintonia.core.config.earlier import effects_settings, round_report, without_suffix


def test_the_suffix_goes_at_any_depth_and_values_stay():
    recorded = {"cost_eur": 1, "limits": [{"price_eur": "cost_eur"}], "neuro": 2}
    assert without_suffix(recorded) == {"cost": 1, "limits": [{"price": "cost_eur"}], "neuro": 2}


def test_the_effects_of_today_and_the_policy_of_earlier_runs_give_the_same_settings():
    today = {"effects": {"reward": {"cap": 200}, "folds": 5}}
    earlier = {"policy": {"reward": {"cap_eur": 200}, "folds": 5, "actions": {"mail": {"cost_eur": 0.1}}}}
    assert effects_settings(today) == effects_settings(earlier) == today["effects"]


def test_a_report_with_actions_in_its_engagement_is_read_as_one_of_today():
    earlier = {"worth_eur": 2.5, "engagement": {"budget_eur": 9, "actions": {"mail": {"cost_eur": 0.5}}}}
    today = {"worth": 2.5, "engagement": {"budget": 9}, "configured_actions": {"mail": {"cost": 0.5}}}
    assert round_report(earlier) == today
    assert round_report(today) == today
    assert "actions" in earlier["engagement"]  # the input is unchanged
