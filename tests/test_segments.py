"""A segment fails when propensities are surely wrong in it, and only then."""

from datetime import datetime

import numpy as np

from sintonia.segments import judge_segments
from sintonia.training_set import Dataset

N = 4000
RNG = np.random.default_rng(4)
WEB = np.arange(N) % 2 == 0
DAYS = np.where(np.arange(N) % 4 < 2, 30.0, 800.0)
TRUE = np.where(WEB, 0.4, 0.2)


def judged(said, category=None, categories=()):
    """Segments by (by, name) of rows whose outcome is as likely as TRUE says."""
    values = np.stack([WEB, ~WEB, DAYS], axis=1).astype(np.float32)
    names = ("channel_mix__last_by_web", "channel_mix__last_by_store", "rfm__days_since_first_purchase")
    ids = np.array([f"c{at // 2}" for at in range(N)], object)
    as_of = np.full(N, datetime(2025, 1, 1), "datetime64[us]")
    label = (RNG.random(N) < TRUE).astype(np.int8)
    rows = Dataset(ids, as_of, values, label, names, category)
    return {(one.by, one.name): one for one in judge_segments(rows, said, categories)}


def test_right_propensities_fail_nowhere():
    found = judged(TRUE)
    assert {key for key in found if key[0] != "decile"} == {
        ("channel", "web"), ("channel", "store"), ("tenure", "to 90 days"), ("tenure", "longer"),
    }  # fmt: skip
    assert not any(one.fails for one in found.values())
    assert found["channel", "web"].rows == N / 2
    assert found["channel", "web"].predicted == 0.4


def test_a_mean_that_is_right_for_all_and_wrong_for_each_channel_is_found():
    found = judged(np.full(N, 0.3))
    assert found["channel", "web"].fails
    assert found["channel", "store"].fails
    assert abs(found["channel", "web"].gap.value - 0.1) < 0.04
    assert not found["tenure", "longer"].fails
    assert [key for key in found if key[0] == "decile"] == [("decile", "01")]


def test_categories_are_segments_and_few_rows_are_none():
    category = np.where(np.arange(N) < 50, 1, 0).astype(np.int16)
    found = judged(TRUE, category, ("milk", "bread"))
    assert [key for key in found if key[0] == "category"] == [("category", "milk")]
