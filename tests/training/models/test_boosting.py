"""Shared bins: folds grow on them what each would grow alone, the same bytes again, and only the way they may."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from sintonia.core.config import ModelConfig
from sintonia.core.errors import ConfigError
from sintonia.training.dataset import Dataset
from sintonia.training.models import FitRows, bin_rows, grow_trees, regrow
from sintonia.training.models.boosting import BINARY, MEDIAN, TWEEDIE

CONFIG = ModelConfig(
    max_trees=40, early_stopping_rounds=5, min_data_in_leaf=20, feature_fraction=1.0, threads=1
)
RNG = np.random.default_rng(5)
N = 1200
VALUES = np.stack([RNG.normal(size=N), RNG.normal(size=N), RNG.integers(0, 4, N)], axis=1).astype(np.float32)
ODDS = 1.5 * VALUES[:, 0] + np.array([0.0, 2.0, -2.0, 1.0])[VALUES[:, 2].astype(int)]
ROWS = Dataset(
    customer_id=np.array([f"c{at % 400}" for at in range(N)], object),
    as_of=np.full(N, datetime(2025, 1, 1), "datetime64[us]"),
    values=VALUES,
    label=(RNG.random(N) < 1 / (1 + np.exp(-ODDS))).astype(np.int8),
    names=("signal", "noise", "category__which"),
)
TARGET = ROWS.label.astype(np.float64)
PARTS = [FitRows(np.arange(0, 600), np.arange(600, 900)), FitRows(np.arange(0, 900), np.arange(900, 1200))]


def test_parts_of_shared_bins_grow_what_each_would_grow_alone():
    binned = bin_rows(ROWS, CONFIG)
    together = [grow_trees(binned, TARGET, part, CONFIG, 7) for part in PARTS]
    alone = [grow_trees(bin_rows(ROWS, CONFIG), TARGET, part, CONFIG, 7) for part in PARTS]
    texts = [[one.booster.model_to_string() for one in grown] for grown in (together, alone)]
    assert texts[0] == texts[1]
    assert [one.trees for one in together] == [one.trees for one in alone]
    assert all(0 < one.loss < 0.69 for one in together)  # a coin's log loss


def test_a_part_sees_no_row_of_another():
    target = TARGET.copy()
    target[600:] = 1 - target[600:]
    binned = bin_rows(ROWS, CONFIG)
    one, other = (grow_trees(binned, some, PARTS[0], CONFIG, 7) for some in (TARGET, target))
    assert one.trees > other.trees  # judged by the contrary, no tree serves
    first = [grown.booster.predict(VALUES, num_iteration=other.trees) for grown in (one, other)]
    assert first[0].tobytes() == first[1].tobytes()


def test_a_category_is_split_as_a_set_and_not_as_a_number():
    text = regrow(bin_rows(ROWS, CONFIG), TARGET, 10, CONFIG, 7).booster.model_to_string()
    assert any(int(line.split("=")[1]) > 0 for line in text.splitlines() if line.startswith("num_cat="))


@pytest.mark.parametrize("way", [1, -1])
def test_a_constraint_holds_whatever_the_data_say(way):
    config = replace(CONFIG, monotone={"sig*": way})
    grown = regrow(bin_rows(ROWS, config), TARGET, 20, config, 7)
    line = np.zeros((50, 3), np.float32)
    line[:, 0] = np.linspace(-3, 3, 50)
    steps = way * np.diff(grown.raw(line))
    assert (steps >= 0).all()
    assert steps.any() == (way == 1)


def test_a_constraint_on_no_feature_and_one_that_is_none_are_refused():
    binned = bin_rows(ROWS, CONFIG)
    with pytest.raises(ConfigError, match="did you mean 'signal'"):
        regrow(binned, TARGET, 2, replace(CONFIG, monotone={"signl": 1}), 7)
    with pytest.raises(ConfigError, match=r"model\.monotone\.signal=2 is no way to go"):
        replace(CONFIG, monotone={"signal": 2})


def test_a_mean_and_a_median_are_what_their_names_say():
    """Of one amount in four that is 8 and three that are 0, the mean is 2 and the median 0."""
    amounts = np.where(np.arange(N) % 4 == 0, 8.0, 0.0)
    flat = Dataset(ROWS.customer_id, ROWS.as_of, np.zeros_like(VALUES), ROWS.label, ROWS.names)
    binned = bin_rows(flat, CONFIG)
    mean = regrow(binned, amounts / 2, 5, CONFIG, 7, TWEEDIE).raw(flat.values[:1])
    assert 2 * np.exp(mean) == pytest.approx(2.0, rel=1e-3)
    assert regrow(binned, amounts, 5, CONFIG, 7, MEDIAN).raw(flat.values[:1]) == pytest.approx(0.0, abs=1e-6)
    assert BINARY.name == "binary"
