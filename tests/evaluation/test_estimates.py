"""Intervals and calibration bins, against worked examples; grades."""

from dataclasses import replace

import numpy as np
import pytest

from sintonia.core.errors import ConfigError
from sintonia.core.intervals import Estimate
from sintonia.evaluation.estimates import Evaluation, calibration_bins


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
