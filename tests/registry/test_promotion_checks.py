"""The gate: each requirement by itself, on figures typed here."""

import json
from dataclasses import asdict
from datetime import datetime

import numpy as np
import pytest

from sintonia.core.config import TaskConfig
from sintonia.core.intervals import Estimate
from sintonia.evaluation.evaluate import Evaluation
from sintonia.registry import promotion_checks
from sintonia.registry.predictions import predictions_of
from sintonia.registry.promotion_checks import (
    beats_champion,
    beats_naive,
    differing_setting,
    is_calibrated,
    is_clean,
)
from sintonia.registry.tracking import Registered
from sintonia.training.dataset import Dataset

RNG = np.random.default_rng(6)
TRUTH = RNG.random(400)
LABELS = (RNG.random(400) < TRUTH).astype(np.int8)


def judged(gap, error=Estimate(0.01, 0.0, 0.03), baseline="recency rule"):  # noqa: B008  frozen
    model = {"auc": Estimate(0.8, 0.7, 0.9), "calibration_error": error}
    other = {"auc": Estimate(0.8 - gap.value, 0.6, 0.8), "calibration_error": error}
    return Evaluation(9, 9, 0.5, {"model": model, baseline: other}, {baseline: {"auc": gap}}, {}, {})


def kept(said, customers=400):
    rows = Dataset(
        customer_id=np.array([f"C{at}" for at in range(customers)], object),
        as_of=np.full(customers, datetime(2026, 1, 1), "datetime64[us]"),
        values=np.empty((customers, 0), np.float32),
        label=LABELS[:customers],
        names=(),
    )
    return predictions_of(rows, {"model": said[:customers]}, b"key")


@pytest.mark.parametrize(
    ("gap", "passed"),
    [
        (Estimate(0.1, 0.05, 0.15), True),
        (Estimate(0.1, -0.01, 0.2), False),
        (Estimate(-0.1, -0.2, -0.05), False),
    ],
)
def test_the_naive_rule_is_beaten_only_by_what_is_surely_better(gap, passed):
    found = beats_naive(judged(gap))
    assert found.passed is passed
    assert "the recency rule: AUC difference" in found.explanation


def test_every_naive_rule_is_to_be_beaten():
    one, other = judged(Estimate(0.1, 0.05, 0.15)), judged(Estimate(0.1, -0.01, 0.2), baseline="naive rule")
    both = Evaluation(9, 9, 0.5, one.estimates | other.estimates, one.differences | other.differences, {}, {})
    found = beats_naive(both)
    assert not found.passed
    assert found.explanation.startswith("not distinguishable from the naive rule")


def test_without_a_naive_rule_nothing_was_beaten():
    assert not beats_naive(judged(Estimate(0.1, 0.05, 0.15), baseline="other model")).passed


def test_the_champion_is_beaten_on_the_same_rows_or_not_at_all():
    noise = RNG.random(400)
    better = beats_champion(kept(TRUTH), kept(noise), "the champion", amount=False, seed=1)
    assert better.passed
    assert "better than the champion on the same 400 rows" in better.explanation
    assert not beats_champion(kept(noise), kept(TRUTH), "the champion", amount=False, seed=1).passed
    assert not beats_champion(kept(TRUTH), kept(TRUTH), "the champion", amount=False, seed=1).passed
    few = beats_champion(kept(TRUTH), kept(noise, customers=390), "the champion", amount=False, seed=1)
    assert not few.passed
    assert "no prediction for 10 of the candidate's test rows" in few.explanation


def test_calibration_is_at_fault_only_when_its_interval_lies_above_two_points():
    gap = Estimate(0.1, 0.05, 0.15)
    assert is_calibrated(judged(gap, Estimate(0.06, 0.019, 0.1))).passed
    assert not is_calibrated(judged(gap, Estimate(0.06, 0.021, 0.1))).passed


@pytest.mark.parametrize(
    ("total", "passed"),
    [
        ((1.3, 1.05, 1.5), True),
        ((1.3, 1.11, 1.5), False),
        ((0.7, 0.5, 0.95), True),
        ((0.7, 0.5, 0.89), False),
    ],
)
def test_a_total_is_at_fault_only_when_it_is_surely_a_tenth_off(total, passed):
    of = {"model": {"rank_correlation": Estimate(0.5, 0.4, 0.6), "total_ratio": Estimate(*total)}}
    assert is_calibrated(Evaluation(9, 9, 0.5, of, {}, {}, {})).passed is passed


def test_leaks_and_force_are_explained_and_a_run_that_was_never_checked_does_not_pass():
    leaks, enough = is_clean([], [])
    assert (leaks.passed, enough.passed) == (True, True)
    leaks, enough = is_clean(["duration"], ["40 training rows"])
    assert (leaks.passed, leaks.explanation) == (False, "may leak: duration")
    assert (enough.passed, enough.explanation) == (False, "40 training rows")
    assert not is_clean(None, [])[0].passed


class _Client:
    """One run with tags and nothing else."""

    def __init__(self, tags):
        self.tags = tags

    def get_run(self, _):
        return type("Run", (), {"data": type("Data", (), {"tags": self.tags})})


def test_what_an_older_run_had_in_its_tags_is_read_from_them_and_a_newer_one_says_it_whole(monkeypatch):
    tags = {"sintonia.may_leak": "a, b", "forced": "40 training rows"}
    place = type("Place", (), {"client": _Client(tags)})
    run = Registered("m", "1", "candidate", "run")
    evaluation = judged(Estimate(0.1, 0.05, 0.15))
    monkeypatch.setattr(promotion_checks, "read_document", lambda *_: evaluation.figures())
    older = promotion_checks.read_evaluation(place, run)
    assert (older["may_leak"], older["lacks"]) == (["a", "b"], ["40 training rows"])
    assert beats_naive(Evaluation.from_plain(older)).passed
    whole = json.loads(json.dumps({**asdict(evaluation), "may_leak": [], "lacks": []}))
    monkeypatch.setattr(promotion_checks, "read_document", lambda *_: whole)
    newer = promotion_checks.read_evaluation(place, run)
    assert (newer["may_leak"], newer["lacks"]) == ([], [])
    assert Evaluation.from_plain(newer) == evaluation


def test_a_champion_with_another_horizon_answers_another_question():
    other = differing_setting(TaskConfig(horizon_days=30), TaskConfig(horizon_days=60))
    assert other == "task.horizon_days is 30, the candidate's 60"
    assert differing_setting(TaskConfig(), TaskConfig(force=True, class_rows=5)) is None
