"""What training rows were like is kept with the model to the last bit."""

import json
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sintonia.core.errors import InputError
from sintonia.training.dataset import Dataset
from sintonia.training.profile import (
    OutcomeRatio,
    TrainingProfile,
    count_by_bin,
    deciles,
    fit_training_profile,
)

NAN = float("nan")


def rows(values, names):
    table = np.array(values, np.float32)
    n = len(table)
    return Dataset(
        np.arange(n).astype(object), np.zeros(n, "datetime64[us]"), table, np.zeros(n, np.int8), names
    )


def test_medians_are_those_of_people_about_as_long_with_the_brand():
    tenure = [[1, 10, NAN], [2, 20, NAN], [3, 30, 5], [4, 40, NAN], [5, 50, 6], [6, 60, 7]]
    found = fit_training_profile(rows(tenure, ("profile__tenure", "a", "b")), seed=1)
    assert (found.peer_feature, found.cuts, found.rows) == ("profile__tenure", (2.0, 4.0), 6)
    np.testing.assert_array_equal(found.medians, [[1, 10, NAN], [3, 30, 5], [5, 50, 6]])
    asked = np.array([[2, 0, 0], [2.5, 0, 0], [9, 0, 0]], np.float32)
    assert found.segments(asked, ("profile__tenure", "a", "b")).tolist() == [0, 1, 2]


def test_without_a_tenure_all_people_are_alike():
    found = fit_training_profile(rows([[1], [3], [5]], ("a",)), seed=1)
    assert (found.peer_feature, found.medians.tolist()) == ("", [[3.0]])
    assert found.segments(np.zeros((4, 1), np.float32), ("a",)).tolist() == [0, 0, 0, 0]


@given(st.lists(st.one_of(st.just(NAN), st.integers(0, 6).map(float)), min_size=1, max_size=60))
def test_parts_hold_every_row_once(values):
    column = deciles(np.array(values))
    counts = count_by_bin(np.array(values), column.edges)
    assert counts.sum() == len(values)
    np.testing.assert_allclose(counts / len(values), column.shares)
    assert counts[-1] == np.isnan(values).sum()
    assert list(column.edges) == sorted(set(column.edges))


def test_deciles_of_even_values_hold_a_tenth_each():
    assert deciles(np.arange(100.0)).shares == (0.1,) * 10 + (0.0,)


def test_a_reference_survives_json():
    found = fit_training_profile(rows([[0.1, NAN], [0.3, NAN], [0.7, 2.5]], ("profile__tenure", "a")), seed=1)
    found = replace(
        found,
        until=datetime(2025, 1, 1),
        prediction_deciles=found.columns[0],
        outcome_ratio=OutcomeRatio(1.1, 0.1, 2.0),
    )
    again = TrainingProfile.from_plain(json.loads(json.dumps(found.as_plain(), allow_nan=False)))
    plain = {"medians": np.empty(0)}
    assert replace(again, **plain).as_plain() == replace(found, **plain).as_plain()
    assert again.outcome_ratio == found.outcome_ratio
    np.testing.assert_array_equal(again.medians, found.medians)
    with pytest.raises(InputError, match="train it again"):
        TrainingProfile.from_plain({"rows": 1})
