"""Predictions kept with runs: paired by customer and date, whatever order they lie in."""

from datetime import datetime

import numpy as np
import pytest

from sintonia.core.errors import InputError
from sintonia.registry.predictions import covers, evaluate_together, predictions_of, shared_rows
from sintonia.training.dataset import Dataset

DAY, LATER = datetime(2026, 1, 1), datetime(2026, 1, 29)


def rows(customers, labels, as_of=DAY):
    return Dataset(
        customer_id=np.array(customers, object),
        as_of=np.full(len(customers), as_of, "datetime64[us]"),
        values=np.empty((len(customers), 0), np.float32),
        label=np.array(labels),
        names=(),
    )


def kept(customers, labels, said, as_of=DAY):
    return predictions_of(rows(customers, labels, as_of), {"any": np.array(said, float)}, b"key")


def test_a_row_keeps_what_was_said_and_no_customer():
    said = {"lightgbm": np.array([0.1, 0.9]), "recency rule": np.array([0.5, 0.5])}
    table = predictions_of(rows(["C1", "C2"], [0, 1]), said, b"key")
    expected = ["customer_hash", "as_of", "category", "label", "model", "recency rule"]
    assert table.column_names == expected
    assert table["model"].to_pylist() == [0.1, 0.9]
    assert "C1" not in str(table.to_pylist())


def test_rows_of_two_runs_are_paired_by_customer_and_date():
    one = kept(["a", "b", "c"], [0, 1, 0], [0.1, 0.2, 0.3])
    other = kept(["d", "c", "a"], [1, 0, 0], [0.9, 0.8, 0.7])
    first, second = shared_rows([one, other])
    paired = dict(zip(first["model"].to_pylist(), second["model"].to_pylist(), strict=True))
    assert paired == {0.1: 0.7, 0.3: 0.8}
    assert covers(one, first)
    assert not covers(one, other)


def test_runs_that_judged_other_dates_share_nothing():
    with pytest.raises(InputError, match="share no row; train them on the same split"):
        shared_rows([kept(["a"], [1], [0.5]), kept(["a"], [1], [0.5], LATER)])


def test_differences_are_paired_and_labels_are_the_first_runs():
    rng = np.random.default_rng(4)
    customers = [f"C{at}" for at in range(300)]
    truth = rng.random(300)
    labels = (rng.random(300) < truth).astype(np.int8)
    good, poor = kept(customers, labels, truth), kept(customers, 1 - labels, rng.random(300))
    judged = evaluate_together({"good": good, "poor": poor}, amount=False, seed=1)
    assert judged.rows == 300
    assert judged.estimates["good"]["auc"].value > 0.7
    assert judged.verdict("poor") == "better than"


def test_amounts_are_kept_in_cents_and_judged_in_euros():
    spent, said = np.array([0, 1200, 300, 0, 2500]), np.array([100.0, 900.0, 400.0, 0.0, 2600.0])
    table = kept(list("abcde"), spent, said)
    judged = evaluate_together({"model": table}, amount=True, seed=1)
    assert judged.estimates["model"]["total_ratio"].value == 1.0
    # Power 1.5 turns euros into their root: a hundredth of the unit is a tenth of the deviance.
    assert judged.estimates["model"]["tweedie_deviance"].value < 1.5
