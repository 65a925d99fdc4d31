"""Evaluation: intervals over customers, paired differences, calibration bins by worked examples, grades."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sintonia.core.errors import ConfigError, InputError, NotEnoughDataError
from sintonia.core.intervals import Estimate
from sintonia.evaluation.evaluate import DEPTHS, Evaluation, calibration_bins, evaluate, evaluate_amounts


def brand(customers=400, snapshots=3, seed=0):
    """Customers with a lasting inclination, seen several times: labels, true propensities, customer ids."""
    rng = np.random.default_rng(seed)
    inclination = rng.normal(size=customers)
    owner = np.repeat(np.arange(customers), snapshots)
    truth = 1 / (1 + np.exp(-1.5 * inclination[owner]))
    return (rng.random(len(owner)) < truth).astype(int), truth, np.char.add("c", owner.astype(str))


LABELS, TRUTH, CUSTOMERS = brand()
BLURRED = np.clip(TRUTH + np.random.default_rng(3).normal(0, 0.3, len(TRUTH)), 0.01, 0.99)
CONSTANT = np.full(len(TRUTH), 0.5)
JUDGED = evaluate(LABELS, {"model": TRUTH, "blurred": BLURRED, "constant": CONSTANT}, CUSTOMERS)


def test_every_figure_lies_in_its_interval():
    for of in JUDGED.estimates.values():
        for metric, found in of.items():
            if metric != "calibration_error":
                assert found.low <= found.value <= found.high


def test_a_better_model_is_called_better_and_a_worse_one_worse():
    assert JUDGED.best_baseline() == "blurred"
    assert JUDGED.verdict("blurred") == "better than"
    assert JUDGED.verdict("blurred", "brier") == "better than"
    turned = evaluate(LABELS, {"constant": CONSTANT, "truth": TRUTH}, CUSTOMERS)
    assert turned.verdict("truth") == "worse than"
    assert turned.verdict("truth", "brier") == "worse than"


def test_a_model_is_not_distinguishable_from_itself():
    twins = evaluate(LABELS, {"model": TRUTH, "twin": TRUTH}, CUSTOMERS)
    gap = twins.differences["twin"]["auc"]
    assert (gap.value, gap.low, gap.high) == (0.0, 0.0, 0.0)
    assert twins.verdict("twin") == "not distinguishable from"


def test_rounding_dust_between_equal_constants_is_no_difference():
    dust = evaluate(
        LABELS, {"model": np.full(len(LABELS), 0.3), "other": np.full(len(LABELS), 0.1 + 0.2)}, CUSTOMERS
    )
    assert {dust.verdict("other", m) for m in dust.estimates["model"]} == {"not distinguishable from"}


def test_paired_differences_are_narrower_than_the_intervals_apart():
    close = np.clip(TRUTH + np.random.default_rng(5).normal(0, 0.02, len(TRUTH)), 0, 1)
    both = evaluate(LABELS, {"model": TRUTH, "close": close}, CUSTOMERS)
    gap, alone = both.differences["close"]["auc"], both.estimates["model"]["auc"]
    assert gap.high - gap.low < (alone.high - alone.low) / 3


def test_copying_every_row_does_not_narrow_the_interval():
    copied = evaluate(np.tile(LABELS, 4), {"model": np.tile(TRUTH, 4)}, np.tile(CUSTOMERS, 4))
    once, four = JUDGED.estimates["model"]["auc"], copied.estimates["model"]["auc"]
    assert four.high - four.low == pytest.approx(once.high - once.low, rel=1e-6)


def test_rows_may_come_in_any_order_and_ids_may_be_codes():
    shuffled = np.random.default_rng(9).permutation(len(LABELS))
    again = evaluate(LABELS[shuffled], {"model": TRUTH[shuffled]}, CUSTOMERS[shuffled])
    codes = np.unique(CUSTOMERS, return_inverse=True)[1]
    coded = evaluate(LABELS, {"model": TRUTH}, codes)
    for name, found in JUDGED.estimates["model"].items():
        for other in (again, coded):
            assert other.estimates["model"][name] == found


def test_the_same_seed_gives_the_same_intervals_and_another_seed_others():
    first, second, third = (evaluate(LABELS, {"m": TRUTH}, CUSTOMERS, draws=50, seed=s) for s in (7, 7, 8))
    assert first.figures() == second.figures()
    assert first.figures() != third.figures()


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    # Average precision of a constant is the label rate, which is 0.5 for this brand by symmetry.
    covered = 0
    for seed in range(60):
        labels, _, customers = brand(customers=150, seed=seed)
        found = evaluate(labels, {"m": np.full(len(labels), 0.4)}, customers, draws=200, seed=seed)
        rate = found.estimates["m"]["average_precision"]
        covered += rate.low <= 0.5 <= rate.high
    assert covered >= 52


def test_a_calibrated_model_has_zero_in_its_calibration_interval_and_an_offset_one_has_not():
    offset = np.clip(TRUTH * 0.5, 0, 1)
    both = evaluate(LABELS, {"model": TRUTH, "offset": offset}, CUSTOMERS)
    assert both.estimates["model"]["calibration_error"].low == 0.0
    assert both.estimates["offset"]["calibration_error"].low > 0.1


def test_gains_rise_from_nothing_to_everything_and_a_constant_gains_nothing():
    gains = np.array(JUDGED.gains["model"])
    assert (gains[0], gains[-1]) == (0.0, 1.0)
    assert np.all(np.diff(gains) >= 0)
    assert np.allclose(JUDGED.gains["constant"], DEPTHS)


def test_figures_are_strict_json():
    text = json.dumps(JUDGED.figures(), allow_nan=False)
    assert set(json.loads(text)["differences"]) == {"blurred", "constant"}


def test_one_outcome_or_one_customer_is_not_enough():
    with pytest.raises(NotEnoughDataError, match=r"3 test rows of 3 customers have only the labels \[0.0\]"):
        evaluate([0, 0, 0], {"m": [0.1, 0.2, 0.3]}, [1, 2, 3])
    with pytest.raises(NotEnoughDataError):
        evaluate([0, 1], {"m": [0.1, 0.2]}, [1, 1])


def test_values_that_are_no_propensities_or_labels_are_refused():
    with pytest.raises(InputError, match=r"'m' has 1\.5 among its propensities"):
        evaluate([0, 1], {"m": [0.1, 1.5]}, [1, 2])
    with pytest.raises(InputError, match="nan"):
        evaluate([0, 1], {"m": [0.1, np.nan]}, [1, 2])
    with pytest.raises(InputError, match="Labels must be 0 or 1"):
        evaluate([0, 2], {"m": [0.1, 0.5]}, [1, 2])
    with pytest.raises(InputError, match="3 propensities for 2 labels"):
        evaluate([0, 1], {"m": [0.1, 0.5, 0.2]}, [1, 2])


def test_unknown_metrics_and_models_name_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'auc'"):
        JUDGED.verdict("constant", "auk")
    with pytest.raises(ConfigError, match="did you mean 'constant'"):
        JUDGED.verdict("constnat")


def shop(seed=2, customers=600):
    """Customers who buy or not, and spend: true spend, what one may expect, its median, ids."""
    rng = np.random.default_rng(seed)
    chance, mean = rng.uniform(0.05, 0.9, customers), rng.uniform(5, 100, customers)
    spent = np.where(rng.random(customers) < chance, rng.exponential(mean), 0.0)
    # The median of a mixture of nothing and an exponential.
    median = np.where(chance > 0.5, mean * np.log(np.maximum(2 * chance, 1.0)), 0.0)
    return spent, chance * mean, median, np.arange(customers)


def test_expected_spend_is_judged_by_ranking_capture_total_and_misfit():
    spent, expected, _, customers = shop()
    told = evaluate_amounts(spent, {"model": expected, "mean": np.full(len(spent), spent.mean())}, customers)
    model, mean = told.estimates["model"], told.estimates["mean"]
    assert list(model) == ["rank_correlation", "capture_top20", "total_ratio", "tweedie_deviance"]
    assert mean["rank_correlation"].value == 0.0
    assert mean["capture_top20"].value == pytest.approx(0.2)
    assert mean["total_ratio"].value == pytest.approx(1.0)
    assert model["total_ratio"].low < 1 < model["total_ratio"].high
    assert {told.verdict("mean", m) for m in ("rank_correlation", "capture_top20", "tweedie_deviance")} == {
        "better than"
    }
    assert (told.headline, told.grade, told.bins) == ("rank_correlation", "A", {})
    assert told.label_rate == pytest.approx((spent > 0).mean(), abs=1e-6)
    json.dumps(told.figures(), allow_nan=False)


def test_an_absolute_error_is_measured_of_a_median_alone():
    spent, expected, median, customers = shop()
    nothing = np.zeros(len(spent))
    told = evaluate_amounts(
        spent,
        {"model": expected, "nothing": nothing, "plain": expected},
        customers,
        medians={"model": median, "nothing": nothing},
    )
    assert "median_error" not in told.estimates["plain"]
    assert told.estimates["nothing"]["median_error"].value == pytest.approx(spent.mean(), abs=1e-6)
    assert told.verdict("nothing", "median_error") == "better than"
    assert "median_error" not in told.differences["plain"]


def test_amounts_that_cannot_be_judged_are_refused():
    with pytest.raises(NotEnoughDataError, match=r"spent 0\.00 in all"):
        evaluate_amounts([0, 0], {"model": [1, 2]}, ["a", "b"])
    with pytest.raises(InputError, match="'model' has nan among its amounts"):
        evaluate_amounts([0, 1], {"model": [1, np.nan]}, ["a", "b"])
    with pytest.raises(InputError, match="'median of model' has 1 amounts for 2 true ones"):
        evaluate_amounts([0, 1], {"model": [1, 2]}, ["a", "b"], medians={"model": [1]})


def judged(differences, metric="auc", own=0.8):
    """An evaluation whose model has `own`, and whose baselines differ from it by (value, low, high)."""
    gaps = {name: Estimate(*gap) for name, gap in differences.items()}
    figures = {"model": own} | {name: own - gap.value for name, gap in gaps.items()}
    return Evaluation(
        rows=10,
        customers=10,
        label_rate=0.5,
        estimates={name: {metric: Estimate(value, value, value)} for name, value in figures.items()},
        differences={name: {metric: gap} for name, gap in gaps.items()},
        bins={},
        gains={},
    )


@pytest.mark.parametrize(
    ("gap", "grade"),
    [
        ((0.02, 0.01, 0.03), "A"),
        ((0.02, 0.0, 0.03), "B"),
        ((0.02, -0.01, 0.03), "B"),
        ((0.0, 0.0, 0.0), "C"),
        ((-0.01, -0.02, 0.01), "C"),
        ((-0.02, -0.03, -0.01), "C"),
    ],
)
def test_the_grade_follows_the_interval_against_the_best_baseline(gap, grade):
    assert judged({"weak": (0.2, 0.1, 0.3), "strong": gap}).grade == grade


def test_a_grade_needs_a_baseline():
    assert judged({}).grade is None


def test_less_is_better_where_the_metric_says_so():
    found = judged({"one": (-0.3, -0.4, -0.2), "other": (-0.1, -0.2, 0.1)}, "tweedie_deviance", own=1.0)
    assert (found.headline, found.best_baseline(), found.grade) == ("tweedie_deviance", "other", "B")


def test_a_total_is_better_the_nearer_it_is_to_the_truth():
    found = judged({"above": (-0.2, -0.3, -0.1), "below": (0.3, 0.2, 0.4)}, "total_ratio", own=0.9)
    assert found.estimates["above"]["total_ratio"].value == pytest.approx(1.1)
    assert found.best_baseline() == "above"
    nearer = replace(found, differences={"below": {"total_ratio": Estimate(-0.3, -0.4, -0.2)}})
    assert nearer.verdict("below") == "better than"


def test_unknown_metrics_name_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'tweedie_deviance'"):
        judged({"one": (0.1, 0.0, 0.2)}).best_baseline("tweedie_devianc")


def test_bins_tell_what_was_said_and_what_came_true():
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 0], dtype=float)
    said = np.array([0.2] * 4 + [0.8] * 4)
    low, high = calibration_bins(labels, said, np.arange(8))
    assert (low.rows, low.predicted, low.observed.value) == (4, pytest.approx(0.2), 0.25)
    assert (high.rows, high.predicted, high.observed.value) == (4, pytest.approx(0.8), 0.75)


def test_a_bins_interval_widens_when_its_rows_are_few_customers():
    labels, said = np.tile([0.0, 1.0], 200), np.full(400, 0.5)
    (many,) = calibration_bins(labels, said, np.arange(400))
    (few,) = calibration_bins(np.repeat([0.0, 1.0] * 10, 20), said, np.repeat(np.arange(20), 20))
    assert few.observed.high - few.observed.low > 3 * (many.observed.high - many.observed.low)
