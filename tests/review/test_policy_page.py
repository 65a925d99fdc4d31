"""The page on a learned policy: what its verdict may say of the figures, which customers teach, the rules in words."""

import json
import re
from dataclasses import asdict, replace

import pytest

from chromium import chromium
from review.example_review import HOSTILE
from sintonia.core.config import (
    ActionConfig,
    CapacityConfig,
    ContactLimitConfig,
    EngagementConfig,
    PauseConfig,
    RuleConfig,
)
from sintonia.evaluation.stability import FamilyWeight
from sintonia.explain.what_if import WhatIf
from sintonia.review.customers import FeatureContribution, RecentInteractions
from sintonia.review.policy_examples import EffectDrivers, ExplainedDecision, FeatureSwarm, Gain
from sintonia.review.policy_page import (
    PolicyReview,
    choice_texts,
    estimate_text,
    interval_plot,
    net_effect,
    policy_verdict,
    render_policy,
    rule_texts,
)

ACTIONS = {
    "mail": ActionConfig("email", 0.1),
    "call": ActionConfig("phone", 2, 1.5, selling=False),
}
ENGAGEMENT = EngagementConfig(
    rules={"adults": RuleConfig(where="birth_year <= 2007", actions=["mail"], because="the law")},
    contact_limits={"two_a_week": ContactLimitConfig(at_most=2, rolling_days=7, channel="email")},
    pauses={"nobody_opens": PauseConfig(after_refusals=4, days=30, channel="email")},
    capacities={"calls": CapacityConfig(at_most=40, at_least=5, channel="phone")},
    budget=500,
)


def worth(value, half=0.05, treated=0.6):
    around = [value, value - half, value + half]
    none = [None, None, None]
    return {
        "treated": treated,
        "ips": none,
        "snips": around,
        "doubly_robust": around,
        "against_constant": around,
    }


def study(**changes):
    return {
        "actions": ["none", "mail", "call"],
        "decisions": 4000,
        "open_decisions": 0,
        "assumed_none": 0,
        "log": "decisions",
        "logging_propensities": {
            "logged": True,
            "targeted": False,
            "covered": None,
            "predictable": None,
            "warning": None,
        },
        "judged_decisions": 1000,
        "judged_customers": 900,
        "gate": {
            "passed": True,
            "constant": "mail",
            "difference": [0.1, 0.05, 0.15],
            "customers": 9,
            "sentence": "It is.",
        },
        "heterogeneity": 0.7,
        "constant_effects": {"none": 0.0, "mail": 0.2, "call": 0.1},
        "policies": {"nothing": worth(0.1, treated=0), "personalised": worth(0.3), "chosen": worth(0.3)},
        "curves": {
            "personalised": {
                "auuc": [0.1, 0.05, 0.15],
                "qini": [0.02, 0.0, 0.04],
                "tenths": [[0.1, 0.0, 0.2]] * 10,
            },
            "response score": {
                "auuc": [0.1, 0.05, 0.15],
                "qini": [0.02, 0.0, 0.04],
                "tenths": [[None] * 3] * 10,
            },
        },
        "effects": {
            name: {
                "cost": 0.1,
                "logged": 400,
                "eligible": 1000,
                "propensity": {"least": 0.3, "low": 0.32, "median": 0.4},
                "effective_decisions": 390.5,
                "largest_weight": 3.3,
                "predicted": 0.2,
                "observed": [0.21, 0.11, 0.31],
            }
            for name in ("mail", "call")
        },
        "segments": [
            {
                "feature": "rfm__days",
                "low": 1.0,
                "high": 20.0,
                "decisions": 500,
                "effects": {"mail": [0.4, 0.3, 0.5], "call": None},
            },
            {
                "feature": "rfm__days",
                "low": None,
                "high": None,
                "decisions": 40,
                "effects": {"mail": None, "call": None},
            },
        ],
        "fifths": [{"predicted": 0.1 * at, "observed": [0.1 * at, 0.05 * at, 1.0]} for at in range(5)],
        **changes,
    }


def teaching(sample, kind="sleeping dogs", mail=-0.2, call=-0.1):
    """A decision whose best action is the call: 0.1 on average, what the days do, what else of the family, a cost."""
    return ExplainedDecision(
        sample=sample,
        kind=kind,
        as_of="2026-03-01",
        given="mail",
        recommended="call",
        expected=1.5,
        came=0.25,
        gains=(Gain("mail", mail, -0.5, 0.1, True), Gain("call", call, -0.4, 0.2, True)),
        mean=0.1,
        own=0.05,
        cost=2.0,
        parts=(FeatureContribution("rfm__days", 12.0, call + 2.0 - 0.1 - 0.05 - 0.03),),
        rest={"trust": 0.03},
        reasons=("Last purchase 12 days ago (lowers what the action brings)", HOSTILE),
        history=RecentInteractions((3, 40), ("web", HOSTILE), ("view", "open"), (None, 1250), 0),
        what_if=WhatIf(("rfm__days",), ((12.0, None, 40.0),), (call, 0.3, mail), actions=(2, 1, 1)),
    )


def policy(**changes):
    round_ = {
        "round": "july-1",
        "customers": 900,
        "worth": 12.5,
        "engagement": asdict(ENGAGEMENT),
        "configured_actions": {name: asdict(action) for name, action in ACTIONS.items()},
        "limits": {"calls": {"used": 33.0, "at_most": 40.0, "at_least": 5, "shadow_price": 0.0123}},
        "refused": {"consent_email": 12, "cap": 0},
    }
    return PolicyReview(
        study=study(**changes),
        policy={
            "name": "best_gain",
            "reward": {"name": "spend", "horizon_days": 7, "cap": None},
            "value": 1.0,
            "threshold": 0.0,
            "floor": 0.0,
        },
        catalogue=[{"name": "rfm__days", "definition": "Days since the last order", "unit": "days"}],
        round=json.loads(json.dumps(round_)),
        story=EffectDrivers(
            decisions=900,
            families=(FamilyWeight("rfm", 1, 0.125),),
            features=(FeatureSwarm("rfm__days", 0.125, (-0.25, 0.0, 0.125), (0.0, None, 1.0)),),
        ),
        customers=(teaching(7), teaching(8, "gains most", mail=0.1, call=0.4), teaching(9, "torn")),
        source="shop",
        fingerprint="f00",
        model_name="shop-next_best_action",
        model_version="2",
        run_id="8f3c",
    )


def states(**changes):
    return [one.state for one in policy_verdict(policy(**changes))]


def test_a_good_study_is_called_good_all_over():
    assert states() == ["good"] * 4


@pytest.mark.parametrize(("value", "state"), [(0.3, "good"), (0.15, "open"), (-0.1, "bad")])
def test_acting_is_worth_it_only_when_intervals_part(value, state):
    of = {"nothing": worth(0.1), "chosen": worth(value), "personalised": worth(value)}
    assert states(policies=of)[1] == state


def test_a_policy_that_did_not_pass_is_said_to_be_one_action_for_all():
    gate = study()["gate"] | {"passed": False}
    assert policy_verdict(policy(gate=gate))[0].headline == "One action for all: 'mail'"


def test_estimated_propensities_are_open_and_targeted_ones_bad():
    log = {
        "logged": False,
        "targeted": False,
        "covered": 0.97,
        "predictable": [0.6, 0.5, 0.7],
        "warning": "Careful.",
    }
    assert states(logging_propensities=log)[2] == "open"
    assert states(logging_propensities=log | {"targeted": True})[2] == "bad"
    assert "Careful." in policy_verdict(policy(logging_propensities=log))[2].evidence


def test_actions_that_chance_never_decided_on_are_open_and_named():
    log = study()["logging_propensities"] | {"warning": "Chance never decided for 'sms'."}
    assert states(logging_propensities=log)[2] == "open"
    assert "Chance never decided for 'sms'." in policy_verdict(policy(logging_propensities=log))[2].evidence


def test_gains_that_do_not_come_true_are_rough():
    fifths = [{"predicted": 2.0, "observed": [0.1, 0.0, 1.0]}] * 5
    assert policy_verdict(policy(fifths=fifths))[3].headline == "Predicted gains are not calibrated"


def test_gains_that_might_as_well_be_none_are_not_called_true():
    fifths = [{"predicted": 0.2, "observed": [0.2, -1.0, 1.0]}] * 5
    found = policy_verdict(policy(fifths=fifths))[3]
    assert (found.state, found.headline) == ("open", "Too few decisions to validate predicted gains")


def test_how_the_policy_chooses_is_told_with_its_threshold_and_what_the_gate_made_of_it():
    asked = {"name": "sure_gain", "threshold": 0.5, "floor": 0.02}
    first, second, _ = choice_texts(asked, {"passed": True})
    assert first == (
        "Each customer gets the action with the highest expected gain among those with a significant one; "
        "customers for whom no gain exceeds 0.5 get none."
    )
    assert "2.0\u202f%" in second
    assert choice_texts(asked, {"passed": False, "constant": "mail"})[0].startswith(
        "All eligible customers get 'mail'"
    )


def test_rules_are_told_as_a_campaign_manager_would():
    said = dict(rule_texts(asdict(ENGAGEMENT), {name: asdict(action) for name, action in ACTIONS.items()}))
    assert said["mail"] == "email, 0.10 EUR per contact, lever 1"
    assert said["call"] == "phone, 2.00 EUR per contact, lever 1.5, not selling"
    assert said["adults"] == "eligibility: mail only where birth_year <= 2007 (the law)"
    assert said["two_a_week"] == "at most 2 contacts in 7 days on email"
    assert said["nobody_opens"] == "no contact for 30 days after 4 unanswered in a row on email"
    assert said["calls"] == "at least 5 and at most 40 of phone per round"
    assert said["budget"] == "500.00 EUR per round"


def test_an_interval_plot_leaves_out_what_is_no_number_and_tells_the_rest():
    drawn = str(interval_plot({"a": [0.2, 0.1, 0.3], "b": [None, None, None]}, "a"))
    assert drawn.count("<circle") == 1
    assert 'aria-label="a 0.200 (0.100 to 0.300)"' in drawn


def page_data(text):
    return json.loads(
        re.search(r'<script type="application/json" id="customers-data">(.*?)</script>', text, re.S)[1]
    )


def test_figures_and_prices_are_on_the_page_and_text_from_outside_is_escaped():
    text = render_policy(policy(actions=["none", "mail", "call", HOSTILE]))
    for figure in (
        "0.210 (0.110 to 0.310)",
        estimate_text(net_effect({"observed": [0.21, 0.11, 0.31], "cost": 0.1})),
        "400 of 1,000",
        "0.300, 0.320, 0.400",
        "Days since the last order",
        "1 to 20",
        "not known",
        "0.125",
    ):
        assert figure in text
    for figure in ("0.300 (0.250 to 0.350)", "0.0123", "consent_email", "Sample 7: sleeping dogs"):
        assert figure in text
    assert "<img" not in text
    assert len(re.findall("<script", text)) == len(re.findall("</script>", text)) == 2
    assert HOSTILE in page_data(text)["actions"]
    assert "<img" not in render_policy(replace(policy(), source=HOSTILE))
    assert not re.search(
        r"https?:|src=|url\(", re.sub(r"http://www.w3.org/2000/svg", "", text.replace("src=x", ""))
    )
    assert render_policy(policy()) == render_policy(policy())


def test_what_moves_the_gain_adds_up_on_the_page():
    for one in page_data(render_policy(policy()))["customers"]:
        steps = sum(part[2] for part in one["parts"]) + sum(size for _, size in one["rest"])
        assert one["base"] + steps == pytest.approx(one["raw"], abs=1e-6)
        assert one["raw"] == {name: gain for name, gain, *_ in one["gains"]}["call"]


def test_without_differences_that_others_confirm_nothing_moves_effects():
    text = render_policy(replace(policy(), story=EffectDrivers(900, (), ())))
    assert "no difference between customers was confirmed" in text


@pytest.mark.browser
def test_in_a_browser_search_waterfall_and_what_if_work_and_nothing_is_wider_than_the_screen(tmp_path):
    path = tmp_path / "policy.html"
    path.write_text(render_policy(policy()), encoding="utf-8")
    with chromium(tmp_path / "profile") as browser:
        browser.open(path.as_uri())
        assert browser.run("document.querySelector('#chosen').textContent") == "Sample 7: sleeping dogs"
        before = browser.run("waterfall.querySelector('tbody').textContent")
        assert (
            browser.run("answer.textContent")
            == "Prediction with the original values: do nothing (best: call, \u22120.100)."
        )
        typed = "query.value = 'gains'; query.dispatchEvent(new Event('input')); hits.children.length"
        assert browser.run(typed) == 1
        browser.run("hits.querySelector('button').click()")
        assert browser.run("waterfall.querySelector('tbody').textContent") != before
        select = "document.querySelector('.what-if select')"
        browser.run(f"{select}.selectedIndex = 1; {select}.dispatchEvent(new Event('change'))")
        said = "Prediction: mail, +0.300; with the original values, call, +0.400."
        assert browser.run("answer.textContent") == said
        for width in (1440, 390):
            for dark in (False, True):
                browser.open(path.as_uri(), width, dark=dark)
                assert browser.run("document.documentElement.scrollWidth") == width
        assert browser.console == []
        assert {url for url in browser.requests if not url.startswith("file:")} == set()
