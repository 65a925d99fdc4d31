"""Groups of customers: an AUC with its interval, and flags that are raised where the model is planted to be bad."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sintonia.review.groups import ScoredTestRows, auc, judge_fairness, judge_groups

RNG = np.random.default_rng(12)
N = 6000
TRUE = RNG.random(N)
LABEL = (RNG.random(N) < TRUE).astype(float)
OWN = np.arange(N)
NONE = (np.arange(0), {})


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
    flags = {one.name: (one.wrong, one.weak) for one in judge_groups(judged(said), {"region": by}, NONE)}
    assert flags == {"north": (True, False), "south": (False, False)}


def test_a_group_ranked_at_random_is_said_to_be_ranked_worse():
    by = np.where(OWN % 2, "north", "south")
    noise = np.where(OWN % 2, RNG.permutation(TRUE), TRUE)
    found = {one.name: one for one in judge_groups(judged(noise), {"region": by}, NONE)}
    assert found["north"].weak
    assert not found["south"].weak
    assert found["north"].ranking.high < found["south"].ranking.low


def test_small_groups_and_unknown_values_are_left_out_and_the_largest_come_first():
    by = np.array(["a"] * 99 + ["b"] * 200 + ["c"] * 300 + [""] * (N - 599))
    assert [one.name for one in judge_groups(judged(TRUE), {"region": by}, NONE)] == ["c", "b"]


def test_contributions_of_a_group_are_those_of_its_explained_rows():
    place = np.array([0, 1, 2, 3])
    by = np.where(OWN % 2, "odd", "even")
    sums = {"rfm": np.array([1.0, -3.0, 1.0, 5.0]), "trust": np.array([2.0, 0.1, 2.0, 0.1])}
    found = {one.name: one.families for one in judge_groups(judged(TRUE), {"side": by}, (place, sums))}
    assert [(one.family, one.size.value) for one in found["odd"]] == [("rfm", 4.0), ("trust", 0.1)]
    assert [(one.family, one.size.value) for one in found["even"]] == [("trust", 2.0), ("rfm", 1.0)]


def test_amounts_are_judged_by_their_total():
    spent = RNG.exponential(20, N)
    by = np.where(OWN % 2, "north", "south")
    said = np.where(OWN % 2, 26.0, 20.0)
    found = {one.name: one for one in judge_groups(judged(said, spent, amount=True), {"region": by}, NONE)}
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
    (found,) = judge_fairness(judged(said, label, np.arange(200)), {"sex": sex}, ["sex", "age"])
    assert (found.selection, found.ratio) == ((0.05, 0.15), 0.3333)
    assert (found.found, found.misled) == ((0.5, 0.5), (0.0, 0.0))
    assert found.odds == 0.0


def test_an_attribute_of_one_group_is_neither_fair_nor_unfair():
    assert judge_fairness(judged(TRUE), {"sex": np.full(N, "f")}, ["sex"]) == ()
