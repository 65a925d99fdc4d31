import numpy as np
import pandas as pd
import pytest

from sintonia.core.config import SimulateSettings
from sintonia.synthetic import actions, truth
from sintonia.synthetic.journeys import complaint_factor, complaint_rate, next_open_share
from sintonia.synthetic.world import draw_world

_MEASURED = ["expected_reward", "expected_spend"]


@pytest.fixture(scope="module")
def world():
    return draw_world(SimulateSettings(customers=400), 0, np.random.SeedSequence(3))


@pytest.fixture(scope="module")
def realised(brand):
    """Decisions with what their people were seen to buy in the silos in the 28 days after, in cents."""
    records = brand.truth("records").set_index(["source", "source_key"])["person_id"]
    web = brand.read("web").drop_duplicates("event_id")
    web = web[web["event"].isin(["order", "return"])].dropna(subset=["order_value"])
    bought = [
        pd.DataFrame(
            {
                "person_id": records.reindex([("cookie", key) for key in web["cookie_id"]]).to_numpy(),
                "at": web["event_time"].dt.tz_localize(None).to_numpy(),
                "paid": np.round(web["order_value"] * 100),
                "off": np.round(web["discount"] * 100),
            }
        )
    ]
    store = brand.read("store").dropna(subset=["Tessera"])
    local = pd.to_datetime(store["Data"] + " " + store["Ora"], format="%d/%m/%Y %H:%M").dt.tz_localize(
        "Europe/Rome"
    )
    bought.append(
        pd.DataFrame(
            {
                "person_id": records.reindex([("card", key) for key in store["Tessera"]]).to_numpy(),
                "at": local.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(),
                "paid": store["Importo"].str.replace(",", ".").astype(float) * 100,
                "off": store["Sconto"].str.replace(",", ".").astype(float) * 100,
            }
        )
    )
    app = brand.read("app").drop_duplicates("event_id")
    app = app[app["event"] == "purchase"]
    bought.append(
        pd.DataFrame(
            {
                "person_id": records.reindex([("account", key) for key in app["account_id"]]).to_numpy(),
                "at": (app["device_time"] + (app["received_at"] - app["sent_at"])).to_numpy(),
                "paid": app["value_cents"],
                "off": app["discount_cents"],
            }
        )
    )
    sales = pd.concat(bought)
    sales["margin"] = sales["paid"] - (1 - truth.MARGIN) * (sales["paid"] + sales["off"])
    outcomes = brand.truth("outcomes")
    taken = outcomes[outcomes["taken"] & (outcomes["round_id"] != "final")].reset_index(drop=True)
    taken = taken[taken["decided_at"] + pd.Timedelta(days=28) <= pd.Timestamp(brand.source.today)]
    near = taken.reset_index().merge(sales, on="person_id")
    inside = (near["at"] >= near["decided_at"]) & (near["at"] < near["decided_at"] + pd.Timedelta(days=28))
    sums = near[inside].groupby("index")[["margin", "paid"]].sum()
    return taken.join(sums).fillna({"margin": 0.0, "paid": 0.0})


def test_mean_realised_rewards_agree_with_the_truth_for_every_action(realised):
    gap = realised["margin"] - realised["expected_reward"]
    by_person = gap.groupby([realised["action_id"], realised["person_id"]]).sum()
    for action, sums in by_person.groupby(level=0):
        error = np.sqrt((sums**2).sum())  # people are independent, a person's rounds are not
        assert abs(sums.sum()) < 4 * error, action
    total = gap.groupby(realised["person_id"]).sum()
    assert abs(total.sum()) < 4 * np.sqrt((total**2).sum())
    assert abs(gap.mean()) < 0.06 * realised["expected_reward"].mean()


def test_mean_realised_spend_agrees_with_the_truth(realised):
    gap = (realised["paid"] - realised["expected_spend"]).groupby(realised["person_id"]).sum()
    assert abs(gap.sum()) < 4 * np.sqrt((gap**2).sum())


def test_the_expected_reward_of_one_person_is_the_sum_worked_out_by_hand(world):
    decision_round, next_round = world.journeys.rounds[3], world.journeys.rounds[4]
    people, interest, journeys = world.people, world.journeys.interest, world.journeys
    who = int(np.flatnonzero(decision_round.decided & ~decision_round.complaint)[0])
    share, total = 0.0, 0.0
    for ahead in range(4):
        week = decision_round.week + ahead
        if ahead == 2 and next_round.action[who] == actions.CARE_CALL:
            share *= 1 - actions.CALL_RESOLVES
        earlier = world.journeys.rounds[2]
        lift = decision_round.lifts[who, actions.DISCOUNT_SMS] * actions.DECAY[ahead]
        if ahead < 2:
            lift += earlier.lifts[who, earlier.action[who]] * actions.DECAY[ahead + 2]
        else:
            lift += next_round.lifts[who, next_round.action[who]] * actions.DECAY[ahead - 2]
        web = interest.web_share[who, week]
        seen = (
            interest.orders[who, week]
            * (web + (1 - web) * people.card_use[who])
            * complaint_factor(np.array(share))
            * (1 + lift)
        )
        off = 0.2 * (0.05 + 0.6 * people.price_sensitivity[who])
        if ahead < 2 or journeys.coupon[who, week]:
            off += 0.10 * (0.25 + 0.65 * people.price_sensitivity[who])
        total += seen * people.order_value[who] * (0.5 - off - 0.04 * 0.5 * (1 - off))
        share = float(next_open_share(np.array(share), complaint_rate(people)[who]))
    reward, _ = truth.expected_outcomes(world, decision_round, next_round)
    assert reward[who, actions.DISCOUNT_SMS] == pytest.approx(total)


def test_traits_move_the_actions_they_should(brand):
    outcomes, people = brand.truth("outcomes"), brand.truth("people").set_index("person_id")
    last = outcomes[outcomes["round_id"] == "round-100"]
    reward = last.pivot(index="person_id", columns="action_id", values="expected_reward").astype(float)
    traits = people.loc[reward.index]
    buys = reward["none"] > 0
    gain = reward.sub(reward["none"], axis=0)[buys].div(reward["none"][buys], axis=0)
    high = {
        name: traits.loc[buys, name] > 0.6 for name in ("price_sensitivity", "novelty", "collector", "weary")
    }
    assert gain.loc[high["price_sensitivity"], "discount_sms"].mean() > 0.2
    assert gain.loc[~high["price_sensitivity"], "discount_sms"].mean() < 0
    assert gain.loc[high["novelty"] & ~high["weary"], "new_arrivals"].mean() > 0.2
    assert gain.loc[high["collector"], "points_push"].mean() > 0.2
    assert gain.loc[high["weary"], "newsletter"].mean() < -0.1
    assert gain["care_call"].max() > 0.5
    assert gain["care_call"].median() < 0


def test_every_person_decision_and_action_has_one_outcome_and_one_action_was_taken(brand):
    outcomes = brand.truth("outcomes")
    assert not outcomes.duplicated(["person_id", "round_id", "action_id"]).any()
    per_decision = outcomes.groupby(["person_id", "round_id"])
    assert (per_decision.size() == len(actions.ACTIONS)).all()
    assert (per_decision["taken"].sum() == 1).all()
    assert outcomes.loc[outcomes["taken"], "eligible"].all()
    assert np.isfinite(outcomes[_MEASURED]).all().all()
    final = outcomes[outcomes["round_id"] == "final"]
    assert set(final["person_id"]) == set(brand.truth("people")["person_id"])
    assert (final["decided_at"] == pd.Timestamp(brand.source.today)).all()


def test_the_truth_of_who_is_who_has_one_person_per_identifier(brand):
    records = brand.truth("records")
    assert not records.duplicated(["source", "source_key"]).any()
    types = {"cookie", "account", "card", "crm", "email", "phone", "device", "handle"}
    assert set(records["source"]) == types
    named = records.loc[records["person_id"].str.startswith("P"), "person_id"]
    assert set(named) == set(brand.truth("people")["person_id"])
