"""The page on a learned policy: what its verdict may say of the figures, which customers teach, the rules in words."""

import json
import re
from dataclasses import asdict, replace

import numpy as np
import pytest

from chromium import chromium
from review.made import HOSTILE
from sintonia.config import (
    CapacityConfig,
    ContactLimitConfig,
    EngagementActionConfig,
    EngagementConfig,
    PauseConfig,
    RuleConfig,
)
from sintonia.review.history import History
from sintonia.review.policy import PolicyReview, Treated, choose_treated, findings, rules
from sintonia.review.policy_page import interval_plot, render_policy

ENGAGEMENT = EngagementConfig(
    actions={
        "mail": EngagementActionConfig("email", 0.1),
        "call": EngagementActionConfig("phone", 2, 1.5, selling=False),
    },
    rules={"adults": RuleConfig(where="birth_year <= 2007", actions=["mail"], because="the law")},
    contact_limits={"two_a_week": ContactLimitConfig(at_most=2, rolling_days=7, channel="email")},
    pauses={"nobody_opens": PauseConfig(after_refusals=4, days=30, channel="email")},
    capacities={"calls": CapacityConfig(at_most=40, at_least=5, channel="phone")},
    budget_eur=500,
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
        "fifths": [{"predicted": 0.1 * at, "observed": [0.1 * at, 0.0, 1.0]} for at in range(5)],
        **changes,
    }


def policy(**changes):
    round_ = {
        "round": "july-1",
        "customers": 900,
        "worth_eur": 12.5,
        "engagement": asdict(ENGAGEMENT),
        "limits": {"calls": {"used": 33.0, "at_most": 40.0, "at_least": 5, "shadow_price_eur": 0.0123}},
        "refused": {"consent_email": 12, "cap": 0},
    }
    return PolicyReview(
        study=study(**changes),
        policy={"reward": {"name": "spend", "horizon_days": 7, "cap_eur": None}, "value": 1.0},
        catalogue=[{"name": "rfm__days", "definition": "Days since the last order", "unit": "days"}],
        round=json.loads(json.dumps(round_)),
        customers=(
            Treated(
                7,
                "sleeping dogs",
                (("mail", -0.2), ("call", -0.1)),
                History((3,), ("web",), ("view",), (None,), 0),
            ),
        ),
        source="shop",
        fingerprint="f00",
        model_name="shop-next_best_action",
        model_version="2",
        run_id="8f3c",
    )


def states(**changes):
    return [one.state for one in findings(policy(**changes))]


def test_a_good_study_is_called_good_all_over():
    assert states() == ["good"] * 4


@pytest.mark.parametrize(("value", "state"), [(0.3, "good"), (0.15, "open"), (-0.1, "bad")])
def test_acting_is_worth_it_only_when_intervals_part(value, state):
    of = {"nothing": worth(0.1), "chosen": worth(value), "personalised": worth(value)}
    assert states(policies=of)[1] == state


def test_a_policy_that_did_not_pass_is_said_to_be_one_action_for_all():
    gate = study()["gate"] | {"passed": False}
    assert findings(policy(gate=gate))[0].headline == "One action for all: 'mail'"


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
    assert "Careful." in findings(policy(logging_propensities=log))[2].evidence


def test_gains_that_do_not_come_true_are_rough():
    fifths = [{"predicted": 2.0, "observed": [0.1, 0.0, 1.0]}] * 5
    assert findings(policy(fifths=fifths))[3].headline == "Predicted gains are rough"


def test_sleeping_dogs_are_those_for_whom_every_action_loses():
    rng = np.random.default_rng(4)
    gains = np.column_stack([np.zeros(300), rng.normal(0.2, 0.3, (300, 2))])
    chosen = choose_treated(gains, seed=1)
    best = gains[:, 1:].max(axis=1)
    dogs = [at for at, kind in chosen.items() if kind == "sleeping dogs"]
    assert dogs
    assert all(best[at] < 0 for at in dogs)
    most = [best[at] for at, kind in chosen.items() if kind == "gains most"]
    assert min(most) >= np.sort(best)[-len(most)]
    assert choose_treated(gains, seed=1) == chosen


def test_one_action_alone_leaves_nobody_torn():
    gains = np.column_stack([np.zeros(50), np.linspace(-1, 1, 50)])
    assert "torn" not in choose_treated(gains, seed=1).values()


def test_rules_are_told_as_a_campaign_manager_would():
    told = dict(rules(asdict(ENGAGEMENT)))
    assert told["mail"] == "email, 0.10 EUR a contact, lever 1"
    assert told["call"] == "phone, 2.00 EUR a contact, lever 1.5, does not sell"
    assert told["adults"] == "eligibility: mail only where birth_year <= 2007 (the law)"
    assert told["two_a_week"] == "at most 2 contacts in 7 days on email"
    assert told["nobody_opens"] == "after 4 unanswered in a row none for 30 days on email"
    assert told["calls"] == "at least 5 and at most 40 of phone a round"
    assert told["budget"] == "500.00 EUR a round"


def test_an_interval_plot_leaves_out_what_is_no_number_and_tells_the_rest():
    drawn = str(interval_plot({"a": [0.2, 0.1, 0.3], "b": [None, None, None]}, "a"))
    assert drawn.count("<circle") == 1
    assert 'aria-label="a 0.200 (0.100 to 0.300)"' in drawn


def test_figures_and_prices_are_on_the_page_and_text_from_outside_is_escaped():
    text = render_policy(policy(actions=["none", HOSTILE]))
    for figure in (
        "0.210 (0.110 to 0.310)",
        "400 of 1,000",
        "Days since the last order",
        "1 to 20",
        "not known",
    ):
        assert figure in text
    for figure in ("0.300 (0.250 to 0.350)", "0.0123", "consent_email", "Sample 7: sleeping dogs"):
        assert figure in text
    hostile = replace(policy(), source=HOSTILE)
    assert "<img" not in render_policy(hostile)
    assert "<script" not in render_policy(hostile)
    assert not re.search(r"https?:|src=|url\(", text)
    assert render_policy(policy()) == render_policy(policy())


@pytest.mark.browser
def test_in_a_browser_nothing_is_wider_than_the_screen(tmp_path):
    path = tmp_path / "policy.html"
    path.write_text(render_policy(policy()), encoding="utf-8")
    with chromium(tmp_path / "profile") as browser:
        for width in (1440, 390):
            browser.open(path.as_uri(), width)
            assert browser.run("document.documentElement.scrollWidth") == width
        assert browser.console == []
