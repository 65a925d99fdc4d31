"""Settings and reports as earlier versions recorded them, typed as they wrote them, read in the names of today."""

from sintonia.core.config.earlier import effects_settings, round_report, without_suffix

OLD_ROUND = {
    "round": "july-1",
    "worth_eur": 757.7,
    "engagement": {"budget_eur": 150.0, "actions": {"newsletter": {"channel": "email", "cost_eur": 0.02}}},
    "limits": {"calls": {"used": 1.0, "shadow_price_eur": 0.5}},
}


def test_an_old_round_reports_its_actions_apart_and_its_amounts_without_a_currency():
    assert round_report(OLD_ROUND) == {
        "round": "july-1",
        "worth": 757.7,
        "engagement": {"budget": 150.0},
        "configured_actions": {"newsletter": {"channel": "email", "cost": 0.02}},
        "limits": {"calls": {"used": 1.0, "shadow_price": 0.5}},
    }
    assert "actions" in OLD_ROUND["engagement"]  # the report that was read is as it was


def test_a_round_of_today_is_read_as_it_is():
    today = {"worth": 2.5, "engagement": {"budget": 5.0}, "configured_actions": {"mail": {"cost": 0.5}}}
    assert round_report(today) == today


def test_the_effects_of_an_old_run_are_its_group_policy_without_the_actions():
    settings = {"reward": {"cap_eur": 200, "horizon_days": 30}, "folds": 5}
    old = {"policy": {**settings, "actions": {"mail": {"cost_eur": 0.5}}}, "source": {"name": "shop"}}
    expected = {"reward": {"cap": 200, "horizon_days": 30}, "folds": 5}
    assert effects_settings(old) == expected
    assert effects_settings({"effects": expected}) == expected


def test_only_the_suffix_of_a_key_goes():
    assert without_suffix([{"eur_rate": "5_eur", "cap_eur": [{"cost_eur": 1}]}]) == [
        {"eur_rate": "5_eur", "cap": [{"cost": 1}]}
    ]
