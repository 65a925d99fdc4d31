"""Splink's charts of a matcher: bars that sum to the pair's weight, masked values, the page's colours."""

import json

import numpy as np
import pytest

from sintonia.data.identity.comparing import comparisons
from sintonia.data.identity.evidence import FieldAgreement, JudgedPair, Matcher, splink_charts, vega
from sintonia.data.identity.match_model import Weights

COMPARED = comparisons(["sex", "city"])
WEIGHTS = Weights(
    m={"sex": [0.9, 0.1], "city": [0.8, 0.1, 0.05, 0.05]},
    u={"sex": [0.5, 0.5], "city": [0.1, 0.1, 0.1, 0.7]},
    match_share=0.2,
    household_share=0.1,
)
# Prior log2(0.2 / 0.8) = -2; sex differs: log2(0.1 / 0.5); the city is common: log2(0.8 / 0.1) - 1 = 2 bits.
PAIR = JudgedPair(
    "crm:1",
    "crm:2",
    match_weight=-3.0,
    match_probability=1 / 9,
    agreements=(
        FieldAgreement("sex", "different", 1, float(np.log2(0.2)), "m", "f"),
        FieldAgreement("city", "same", 0, 2.0, "b***", "b***"),
    ),
)


def drawn(pairs=(PAIR,)):
    matcher = Matcher(COMPARED, WEIGHTS, np.array([-9.0, -3.0, 8.0]), pairs)
    return {chart.name: chart.spec for chart in splink_charts(matcher)}


def test_bars_of_a_pair_sum_to_its_weight_with_the_household_taken_off():
    bars = drawn()["waterfall"]["data"]["values"]
    bits = {bar["column_name"]: round(bar["log2_bayes_factor"], 4) for bar in bars}
    sex = round(float(np.log2(0.2)), 4)
    assert {name: bits[name] for name in ("Prior", "sex", "city", "tf_city", "Final score")} == {
        "Prior": -2.0,
        "sex": sex,
        "city": 3.0,
        "tf_city": -1.0,
        "Final score": -3.0,
    }
    assert bits["household"] == pytest.approx(-3.0 - (-2.0 + sex + 3.0 - 1.0), abs=1e-3)
    assert [bar["bar_sort_order"] for bar in bars] == list(range(len(bars)))


def test_a_bar_says_masked_values_and_the_choice_names_the_pairs():
    spec = drawn()["waterfall"]
    shown = {bar["column_name"]: (bar["value_l"], bar["value_r"]) for bar in spec["data"]["values"]}
    assert (shown["sex"], shown["city"], shown["Prior"]) == (("m", "f"), ("b***", "b***"), ("", ""))
    assert spec["params"][0]["bind"]["labels"] == ["crm:1 and crm:2, 0.111"]


def test_a_field_that_a_record_lacks_weighs_nothing():
    lacking = JudgedPair("a", "b", -2.0, 0.2, PAIR.agreements[1:])
    bars = drawn((lacking,))["waterfall"]["data"]["values"]
    assert next(bar for bar in bars if bar["column_name"] == "sex")["log2_bayes_factor"] == 0


def test_every_pair_is_counted_once_by_its_weight():
    bins = drawn()["pairs"]["data"]["values"]
    assert sum(found["count_rows"] for found in bins) == 3


def test_charts_are_those_there_is_something_for_in_the_colours_of_the_page():
    nothing = splink_charts(Matcher(COMPARED, WEIGHTS, np.array([]), ()))
    assert [chart.name for chart in nothing] == ["weights", "m-u"]
    for name, spec in drawn().items():
        text = json.dumps({key: value for key, value in spec.items() if key != "data"})
        assert not [colour for colour in ('"red"', '"green"', '"black"', "http") if colour in text], name


def test_the_scripts_that_draw_end_nowhere_but_at_their_end():
    scripts = vega()
    assert len(scripts) == 3
    assert not any("</script" in script.lower() or "<!--" in script for script in scripts)
