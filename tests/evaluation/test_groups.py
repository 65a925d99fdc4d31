"""Groups of customers: rankings and calibration with intervals, and flags where the model is planted to be bad."""

from datetime import datetime

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sintonia.evaluation.groups import (
    ExplainedRows,
    ScoredTestRows,
    auc,
    evaluate_fairness,
    evaluate_groups,
    segment_names,
)
from sintonia.training.dataset import Dataset

RNG = np.random.default_rng(12)
N = 6000
TRUE = RNG.random(N)
LABEL = (RNG.random(N) < TRUE).astype(float)
OWN = np.arange(N)


def judged(said, label=LABEL, customer=OWN, amount=False):
    return ScoredTestRows(label, said, customer, amount)


def test_the_auc_is_the_usual_one_ties_by_half():
    said = np.round(TRUE, 1)
    assert auc(LABEL, said, OWN).value == pytest.approx(roc_auc_score(LABEL, said), abs=1e-6)


def test_the_interval_holds_what_drawing_customers_again_gives():
    owner = np.arange(N) // 3
    label = (RNG.random(N) < RNG.random(N // 3)[owner]).astype(float)
    said = label * 0.3 + RNG.random(N // 3)[owner]
    found = auc(label, said, owner)
    rows = np.arange(N).reshape(-1, 3)
    drawn = [rows[RNG.integers(len(rows), size=len(rows))].ravel() for _ in range(200)]
    low, high = np.quantile([roc_auc_score(label[at], said[at]) for at in drawn], [0.025, 0.975])
    assert found.high - found.low == pytest.approx(high - low, rel=0.2)


def test_one_outcome_alone_has_no_auc():
    assert auc(np.zeros(5), np.arange(5.0), np.arange(5)) is None


def test_a_group_of_wrong_propensities_is_said_to_be_wrong_and_no_other():
    by = np.where(OWN % 2, "north", "south")
    said = np.where(OWN % 2, np.clip(TRUE + 0.2, 0, 1), TRUE)
    flags = {one.name: (one.wrong, one.weak) for one in evaluate_groups(judged(said), {"region": by})}
    assert flags == {"north": (True, False), "south": (False, False)}


def test_a_group_ranked_at_random_is_said_to_be_ranked_worse():
    by = np.where(OWN % 2, "north", "south")
    noise = np.where(OWN % 2, RNG.permutation(TRUE), TRUE)
    found = {one.name: one for one in evaluate_groups(judged(noise), {"region": by})}
    assert found["north"].weak
    assert not found["south"].weak
    assert found["north"].ranking.high < found["south"].ranking.low


def test_small_groups_and_unknown_values_are_left_out_and_the_largest_come_first():
    by = np.array(["a"] * 99 + ["b"] * 200 + ["c"] * 300 + [""] * (N - 599))
    assert [one.name for one in evaluate_groups(judged(TRUE), {"region": by})] == ["c", "b"]


def test_contributions_of_a_group_are_those_of_its_explained_rows():
    place = np.array([0, 1, 2, 3])
    by = np.where(OWN % 2, "odd", "even")
    sums = {"rfm": np.array([1.0, -3.0, 1.0, 5.0]), "trust": np.array([2.0, 0.1, 2.0, 0.1])}
    found = {
        one.name: one.families
        for one in evaluate_groups(judged(TRUE), {"side": by}, ExplainedRows(place, sums))
    }
    assert [(one.family, one.size.value) for one in found["odd"]] == [("rfm", 4.0), ("trust", 0.1)]
    assert [(one.family, one.size.value) for one in found["even"]] == [("trust", 2.0), ("rfm", 1.0)]


def test_amounts_are_judged_by_their_total():
    spent = RNG.exponential(20, N)
    by = np.where(OWN % 2, "north", "south")
    said = np.where(OWN % 2, 26.0, 20.0)
    found = {one.name: one for one in evaluate_groups(judged(said, spent, amount=True), {"region": by})}
    assert found["north"].wrong
    assert not found["south"].wrong
    assert found["north"].gap.value == pytest.approx(26 / spent[OWN % 2 == 1].mean(), rel=1e-4)
    assert found["north"].ranking is None


def test_fairness_is_worked_by_hand():
    # 200 rows, the highest tenth is 20: 15 of the 100 women, 5 of the 100 men.
    sex = np.array(["f"] * 100 + ["m"] * 100)
    said = np.full(200, 0.1)
    said[:15] = said[100:105] = 0.9
    label = np.zeros(200)
    label[:30] = label[100:110] = 1.0
    (found,) = evaluate_fairness(judged(said, label, np.arange(200)), {"sex": sex}, ["sex", "age"])
    assert (found.selection, found.ratio) == ((0.05, 0.15), 0.3333)
    assert (found.found, found.misled) == ((0.5, 0.5), (0.0, 0.0))
    assert found.odds == 0.0


def test_an_attribute_of_one_group_is_neither_fair_nor_unfair():
    assert evaluate_fairness(judged(TRUE), {"sex": np.full(N, "f")}, ["sex"]) == ()


ROWS = 4000
DRAWS = np.random.default_rng(4)
WEB = np.arange(ROWS) % 2 == 0
DAYS = np.where(np.arange(ROWS) % 4 < 2, 30.0, 800.0)
RATE = np.where(WEB, 0.4, 0.2)


def segments(said, category=None, categories=()):
    """Groups by (by, name) of rows whose outcome is as likely as RATE says."""
    values = np.stack([WEB, ~WEB, DAYS], axis=1).astype(np.float32)
    names = ("channel_mix__last_by_web", "channel_mix__last_by_store", "rfm__days_since_first_purchase")
    ids = np.array([f"c{at // 2}" for at in range(ROWS)], object)
    as_of = np.full(ROWS, datetime(2025, 1, 1), "datetime64[us]")
    label = (DRAWS.random(ROWS) < RATE).astype(np.int8)
    rows = Dataset(ids, as_of, values, label, names, category)
    owner = np.unique(ids.astype(str), return_inverse=True)[1]
    scored = ScoredTestRows(label.astype(float), said, owner, amount=False)
    found = evaluate_groups(scored, segment_names(rows, said, categories), most=None)
    return {(one.by, one.name): one for one in found}


def test_right_propensities_fail_nowhere():
    found = segments(RATE)
    assert {key for key in found if key[0] != "decile"} == {
        ("channel", "web"), ("channel", "store"), ("tenure", "to 90 days"), ("tenure", "longer"),
    }  # fmt: skip
    assert not any(one.wrong for one in found.values())
    assert found["channel", "web"].rows == ROWS / 2
    assert found["channel", "web"].predicted == 0.4


def test_a_mean_that_is_right_for_all_and_wrong_for_each_channel_is_found():
    found = segments(np.full(ROWS, 0.3))
    assert found["channel", "web"].wrong
    assert found["channel", "store"].wrong
    assert abs(found["channel", "web"].gap.value - 0.1) < 0.04
    assert not found["tenure", "longer"].wrong
    assert [key for key in found if key[0] == "decile"] == [("decile", "01")]


def test_categories_are_segments_and_few_rows_are_none():
    category = np.where(np.arange(ROWS) < 50, 1, 0).astype(np.int16)
    found = segments(RATE, category, ("milk", "bread"))
    assert [key for key in found if key[0] == "category"] == [("category", "milk")]
