"""Decision points from a small action log, worked by hand."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from builder import build_store
from sintonia.core.config import (
    ActionConfig,
    EffectsConfig,
    EngineConfig,
    FeaturesConfig,
    RewardConfig,
    SiloConfig,
)
from sintonia.core.engine import connect
from sintonia.core.errors import ConfigError, InputError, NotEnoughDataError
from sintonia.features import catalogue, fit
from sintonia.uplift.dataset import (
    customer_codes,
    days_of_history,
    decision_features,
    feature_moments,
    logged_actions,
    split_decisions,
    to_logged_decisions,
    usable_features,
)
from sintonia.uplift.decision_log import read_decision_log

EVENTS = """card,at,kind,amount,discount,action
A,2025-03-01T10:00,purchase,40.00,0,
A,2025-03-05T00:00,send,,0,mail
A,2025-03-05T00:00,purchase,10.00,10.00,
A,2025-03-06T09:00,redeem,,3.00,mail
A,2025-03-07T09:00,redeem,,9.00,gift
A,2025-03-11T23:00,return,-4.00,0,
A,2025-03-12T00:00,purchase,70.00,0,
B,2025-03-04T10:00,purchase,20.00,0,
C,2025-03-05T00:00,visit,,0,
C,2025-03-20T00:00,purchase,500.00,0,
C,2025-04-30T00:00,visit,,0,
"""
DECISIONS = """id,card,at,action,eligible,shares,cost
d1,A,2025-03-05T00:00,mail,"[none, mail, gift]","[0.5, 0.3, 0.2]",0.50
d2,B,2025-03-05T00:00,,"[none, mail]","[0.4, 0.6]",0
d3,C,2025-03-19T00:00,gift,"[none, gift]","[0.1, 0.9]",1.00
d4,C,2025-04-29T00:00,mail,"[none, mail]","[0.5, 0.5]",1.50
"""
SPEND = RewardConfig("spend", horizon_days=7)


def silos(decisions=True):
    events = SiloConfig(
        path="events.csv",
        identifiers={"card": "card"},
        occurred_at="at",
        data_until="2025-05-01",
        interactions={
            "thread_id": "kind || '-' || at",
            "kind": "kind",
            "amount": "amount",
            "discount": "discount",
            "action_id": "action",
        },
        constants={"channel": "store"},
    )
    log = SiloConfig(
        path="decisions.csv",
        identifiers={"card": "card"},
        occurred_at="at",
        decisions={
            "decision_id": "id",
            "round_id": "left(at, 10)",
            "action_id": "action",
            "channel": "CASE WHEN action = 'mail' THEN 'email' END",
            "eligible_actions": "eligible",
            "logging_propensities": "shares",
            "cost": "cost",
        },
    )
    return {"events": events, "log": log} if decisions else {"events": events}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "events.csv").write_text(EVENTS)
    (folder / "decisions.csv").write_text(DECISIONS)
    return build_store(folder, silos())


@pytest.fixture(scope="module")
def sends_only(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sends")
    (folder / "events.csv").write_text(EVENTS)
    return build_store(folder, silos(decisions=False))


def read(store, tmp_path, **config):
    with connect(EngineConfig(), tmp_path) as connection:
        return read_decision_log(connection, store, EffectsConfig(**config))


def test_a_reward_counts_from_the_decision_on_and_ends_before_the_horizon_does(store, tmp_path):
    # Of A: 10 at the very moment of the decision, less 4 returned, and not the 70 a week later.
    points = read(store, tmp_path, reward=SPEND)
    assert points.names == ("none", "gift", "mail")
    assert points.customer_id.tolist() == ["A", "B", "C"]
    assert points.reward.tolist() == [6.0, 0.0, 500.0]
    assert points.orders.tolist() == [1, 0, 1]  # of the return no order is made
    assert points.action.tolist() == [2, 0, 1]
    assert points.open_decisions == 1  # d4: its week is not over


def test_a_reward_that_is_not_of_money_is_not_made_of_orders(store, tmp_path):
    assert read(store, tmp_path, reward=RewardConfig("converted", horizon_days=7)).orders is None


def test_propensities_are_of_the_eligible_actions_and_0_for_the_others(store, tmp_path):
    points = read(store, tmp_path, reward=SPEND)
    assert points.logging_propensities.tolist() == [[0.5, 0.2, 0.3], [0.4, 0.0, 0.6], [0.1, 0.9, 0.0]]
    assert points.logged.all()


@pytest.mark.parametrize(
    ("reward", "of_a"),
    [
        (RewardConfig("spend", horizon_days=8), 76.0),
        (RewardConfig("spend", horizon_days=8, cap=60), 60.0),
        (RewardConfig("spend", horizon_days=7, own_discount=True), 6.0 - 3.0),
        (RewardConfig("spend", horizon_hours=12), 10.0),
        # Goods cost 60 % of the list price: 10 - 0.6 * 20, and -4 - 0.6 * -4.
        (RewardConfig("margin", margin_share=0.4, horizon_days=7), -2.0 - 1.6),
        (RewardConfig("converted", horizon_days=7), 1.0),
        (RewardConfig("converted", kinds=["visit"], horizon_days=7), 0.0),
    ],
)
def test_rewards_worked_by_hand(store, tmp_path, reward, of_a):
    assert read(store, tmp_path, reward=reward).reward[0] == pytest.approx(of_a)


def test_who_is_known_and_not_in_a_rounds_log_had_none_when_the_configuration_says_so(store, tmp_path):
    points = read(store, tmp_path, reward=SPEND, none_for_others=True)
    # On 5 March C was not known yet; on 19 March A and B were.
    told = list(zip(points.round_id, points.customer_id, points.action.tolist(), strict=True))
    assert told[1:3] == [("2025-03-19", "A", 0), ("2025-03-05", "B", 0)]
    assert len(points) == 5
    assert points.assumed == 2
    assert not points.logged.all()


def test_without_a_log_of_decisions_every_send_that_names_an_action_is_one(sends_only, tmp_path):
    points = read(sends_only, tmp_path, reward=SPEND)
    assert points.from_sends
    assert (points.customer_id.tolist(), points.names, points.reward.tolist()) == (
        ["A"],
        ("none", "mail"),
        [6.0],
    )


def test_a_reward_without_an_end_is_refused(store, tmp_path):
    with pytest.raises(ConfigError, match="no end of the reward window"):
        read(store, tmp_path, reward=RewardConfig("spend"))


def test_decisions_whose_rewards_are_all_open_are_refused(store, tmp_path):
    with pytest.raises(NotEnoughDataError, match=r"None of the 4 decisions .* end 2025-05-01"):
        read(store, tmp_path, reward=RewardConfig("spend", horizon_days=90))


def test_costs_are_the_logs_own_unless_the_configuration_says_otherwise(store, tmp_path):
    points = read(store, tmp_path, reward=SPEND)
    found = logged_actions(points, {})
    assert found.costs.tolist() == [0.0, 1.0, 0.5]
    assert found.attribute_names == ("by_email",)
    told = {"mail": ActionConfig(cost=2.0, attributes={"pages": 3})}
    found = logged_actions(points, told)
    assert found.costs.tolist() == [0.0, 1.0, 2.0]
    assert found.attributes.tolist() == [[0, 0], [0, 0], [3, 1]]
    with pytest.raises(ConfigError, match=r"action under actions: 'mial'; did you mean 'mail'"):
        logged_actions(points, {"mial": ActionConfig()})


def test_windows_longer_than_the_history_of_what_teaches_are_left_out_and_the_shortest_stays(store, tmp_path):
    # Interactions begin on 1 March at 10:00, the newest decision with a reward is of 19 March: 17 days and 14 hours.
    points = read(store, tmp_path, reward=SPEND)
    assert days_of_history(store, points) == 18
    assert days_of_history(store, points.take(points.customer_id != "C")) == 4
    before = replace(points, decided_at=points.decided_at - np.timedelta64(30, "D"))
    assert days_of_history(store, before) == 0  # nothing but the log itself was written down by then
    policy, asked = (
        EffectsConfig(families=["rfm"]),
        FeaturesConfig(families=["rfm", "clock"], windows_days=[30, 18, 7]),
    )
    assert usable_features(asked, policy, 18).windows_days == [18, 7]
    assert usable_features(asked, policy, 4).windows_days == [7]
    assert usable_features(FeaturesConfig(families=["rfm"]), policy, 4).windows_days == []


def test_features_are_of_strictly_before_the_decision(store, tmp_path):
    config = FeaturesConfig(families=["rfm", "kinds"], windows_days=[30])
    made = catalogue(config, fit(config, store, datetime(2025, 5, 1)))
    points = read(store, tmp_path, reward=SPEND)
    values = decision_features(store, points, made, EngineConfig())
    names = [feature.name for feature in made]
    # Of A's purchases only that of 1 March; the send and the purchase of the decision's own moment are not history.
    assert values[0, names.index("kinds__purchase__30d")] == 1
    assert values[0, names.index("kinds__send__30d")] == 0
    assert values[1, names.index("kinds__purchase__30d")] == 1
    assert (feature_moments(points) < points.decided_at).all()


def test_a_decision_about_somebody_not_seen_before_has_missing_features_and_stays(store, tmp_path):
    config = FeaturesConfig(families=["rfm"], windows_days=[30])
    made = catalogue(config, fit(config, store, datetime(2025, 5, 1)))
    points = read(store, tmp_path, reward=SPEND)
    early = type(points)(**{**vars(points), "decided_at": points.decided_at - np.timedelta64(60, "D")})
    assert np.isnan(decision_features(store, early, made, EngineConfig())).all()


def test_logged_propensities_are_used_as_they_are(store, tmp_path):
    points = read(store, tmp_path, reward=SPEND)
    log, policy = to_logged_decisions(points, np.zeros((3, 1), np.float32), EffectsConfig(), {})
    assert policy.logged
    assert policy.warning is None
    assert log.logging_propensities == pytest.approx(points.logging_propensities)
    assert log.customer.tolist() == customer_codes(points.customer_id).tolist()


def test_logged_propensities_are_judged_before_they_are_used(store, tmp_path):
    points, features = read(store, tmp_path, reward=SPEND), np.zeros((3, 1), np.float32)
    rising = replace(points, logging_propensities=np.full(points.logging_propensities.shape, 0.9))
    with pytest.raises(
        InputError, match="must sum to 1 over its eligible actions; those of 3 of 3 decisions"
    ):
        to_logged_decisions(rising, features, EffectsConfig(), {})
    certain = np.eye(len(points.names))[points.action]
    with pytest.raises(NotEnoughDataError, match="All 3 decisions of the log were certain"):
        to_logged_decisions(replace(points, logging_propensities=certain), features, EffectsConfig(), {})


def test_judged_are_the_newest_rounds_and_the_past_ends_before_they_begin(store, tmp_path):
    points = read(store, tmp_path, reward=SPEND)
    past, judged = split_decisions(points, None)
    assert past.tolist() == [True, True, False]
    assert judged.tolist() == [False, False, True]
    with pytest.raises(NotEnoughDataError, match="leaves 0 decisions for training"):
        split_decisions(points, "2025-03-11")  # the reward of 5 March is not known by then


def test_one_round_teaches_and_reports_by_different_customers_and_a_date_that_leaves_nothing_is_refused(
    store, tmp_path
):
    points = read(store, tmp_path, reward=RewardConfig("spend", horizon_days=20))
    past, judged = split_decisions(points, None)
    assert past.all()
    assert judged.all()
    with pytest.raises(NotEnoughDataError, match="leaves 0 decisions for training"):
        split_decisions(points, "2025-03-06")


def test_of_a_round_decided_by_a_policy_only_the_explorers_teach(tmp_path):
    (tmp_path / "events.csv").write_text(EVENTS)
    (tmp_path / "decisions.csv").write_text(DECISIONS)
    events, log = silos().values()
    arm = "CASE id WHEN 'd1' THEN 'policy' WHEN 'd2' THEN 'holdout' ELSE 'explore' END"
    log = replace(log, decisions={**log.decisions, "arm": arm})
    points = read(build_store(tmp_path, {"events": events, "log": log}), tmp_path, reward=SPEND)
    assert points.customer_id.tolist() == ["C"]
