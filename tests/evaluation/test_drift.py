"""Drift counts only beyond chance, adds up over chunks, and refuses where a bound says so."""

from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sintonia.core.config import DriftConfig, FeaturesConfig, TaskConfig
from sintonia.core.errors import DriftError
from sintonia.evaluation.drift import ColumnDrift, Drift, check_drift, count_bins, drift_of_model
from sintonia.features import Fitted
from sintonia.training.calibration import Calibrator
from sintonia.training.models import LightGBMModel
from sintonia.training.profile import TrainingProfile, deciles

RNG = np.random.default_rng(4)
THEN = RNG.normal(size=(5000, 2)).astype(np.float32)
START = datetime(2025, 1, 1)
REFERENCE = TrainingProfile(
    5000,
    tuple(deciles(THEN[:, at]) for at in (0, 1)),
    "",
    (),
    np.zeros((1, 2)),
    START,
    deciles(np.linspace(0, 1, 5000)),
)
MODEL = LightGBMModel(
    task=TaskConfig(name="churn", horizon_days=30),
    features=FeaturesConfig(),
    fitted=Fitted(START),
    names=("rfm__a", "rfm__b"),
    trees="split_feature=0 1",
    calibrator=Calibrator("sigmoid"),
    source="toy",
    fingerprint="0",
    profile=REFERENCE,
)
# Its two features are of no family; what they measure is told all the same.
vars(MODEL)["catalogue"] = (SimpleNamespace(name="rfm__b", definition="Orders in all"),)


def drift(values, outcome=None, chunks=1):
    outcome = RNG.random(len(values)) if outcome is None else outcome
    parts = zip(np.array_split(values, chunks), np.array_split(outcome, chunks), strict=True)
    return drift_of_model(
        MODEL, [count_bins(REFERENCE, part.astype(np.float32), said) for part, said in parts]
    )


def test_the_index_is_that_of_the_formula():
    even = TrainingProfile(
        10, (deciles(np.array([1.0, 2.0])),), "", (), np.zeros((1, 1))
    )  # half and half of 10 rows
    counts = count_bins(even, np.array([[1.0]] * 9 + [[2.0]], np.float32), np.zeros(10))
    (moved,) = drift_of_model(
        replace(MODEL, profile=even, names=("rfm__a",), trees="split_feature=0"), [counts]
    ).moved
    now, then = np.array([9.5, 1.5]) / 11, np.array([5.5, 5.5]) / 11
    assert moved.psi == pytest.approx(float(np.sum((now - then) * np.log(now / then))))
    assert moved.chance == pytest.approx(10.827566 * (1 / 10 + 1 / 10))  # chi-squared, 1 degree, 1 in 1,000


def test_customers_like_those_of_the_training_have_not_moved_and_others_have():
    same = drift(RNG.normal(size=(3000, 2)))
    assert same.beyond(0.1) == ()
    far = RNG.normal([0, 1], size=(3000, 2))
    moved = drift(far)
    assert [one.name for one in moved.beyond(0.25)] == ["rfm__b"]
    assert moved.moved[0].name == "rfm__b"
    score = drift(RNG.normal(size=(3000, 2)), outcome=RNG.random(3000) ** 3)
    assert [one.name for one in score.beyond(0.25)] == ["the score"]


def test_a_few_customers_are_no_drift_for_being_few():
    few = drift(RNG.normal(size=(12, 2)))
    assert few.moved[0].psi > 0.25
    assert few.beyond(0.25) == ()


@given(st.integers(1, 9))
def test_chunks_add_up(chunks):
    values, outcome = THEN[:100], np.linspace(0, 1, 100)
    assert drift(values, outcome, chunks) == drift(values, outcome)


def test_missing_values_are_a_part_of_their_own():
    values = THEN[:1000].copy()
    values[:500, 0] = np.nan
    assert drift(values).moved[0].name == "rfm__a"


NEAR = {"as_of": datetime(2025, 1, 20), "newest": datetime(2025, 1, 20)}
TODAY = DriftConfig(today="2025-01-25")
FAR = Drift(500, (ColumnDrift("rfm__b", 0.9, 0.1), ColumnDrift("rfm__a", 0.01, 0.1)))


def test_nothing_is_said_of_a_young_model_and_customers_like_its_own():
    watched = check_drift(MODEL, Drift(500, (ColumnDrift("rfm__a", 0.01, 0.1),)), TODAY, **NEAR)
    assert (watched.warnings, watched.refusals) == ((), ())
    watched.refuse(force=False)


def test_drift_is_told_and_beyond_its_bound_refused_unless_somebody_insists():
    warned = check_drift(MODEL, FAR, TODAY, **NEAR)
    assert warned.warnings == (
        "The customers scored for 'churn' (500 rows) have drifted from the training data: 1 of 2 columns have a "
        "population stability index above 0.25 (Orders in all 0.90).",
    )
    assert warned.refusals == ()
    refused = check_drift(MODEL, FAR, replace(TODAY, refuse_above=0.5), **NEAR)
    with pytest.raises(DriftError, match=r"stability index above 0\.5 \(Orders in all 0\.90\).*force=true"):
        refused.refuse(force=False)
    refused.refuse(force=True)
    assert refused.figures(force=True)["forced"] == list(refused.refusals)
    assert refused.figures(force=False)["forced"] == []


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        (
            {"as_of": datetime(2025, 2, 1), "newest": datetime(2025, 1, 20)},
            "model of 'churn' was trained on data until 2025-01-01, 31 days",
        ),
        (
            {"as_of": datetime(2025, 1, 20), "newest": datetime(2024, 12, 20)},
            "store has data until 2024-12-20, 36 days",
        ),
    ],
)
def test_a_model_or_data_older_than_the_horizon_are_told_and_refused_by_a_bound(moments, said):
    watched = check_drift(MODEL, Drift(0, ()), replace(TODAY, refuse_older_days=30), **moments)
    assert len(watched.warnings) == len(watched.refusals) == 1
    assert said in watched.warnings[0]
    assert "longer than the task's horizon of 30 days" in watched.warnings[0]
    assert "drift.refuse_older_days=30" in watched.refusals[0]


def test_a_model_without_a_reference_tells_nothing():
    assert drift_of_model(replace(MODEL, profile=None), []).moved == ()


def test_a_feature_that_no_tree_splits_on_does_not_count_as_moved():
    model = replace(MODEL, trees="split_feature=1")
    reference = REFERENCE.of_columns([1])
    counts = count_bins(reference, np.full((500, 1), np.nan, np.float32), RNG.random(500))
    assert [one.name for one in drift_of_model(model, [counts]).moved] == ["rfm__b", "the score"]
