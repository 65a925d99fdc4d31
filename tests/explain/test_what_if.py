"""What-if grids: the model's own answers, the row's own first."""

from itertools import product

import numpy as np
import pytest

from review.example_review import FAMILIES, NAMES, Linear, sample
from sintonia.explain.what_if import MAX_FEATURES, what_ifs

GRIDS = what_ifs(Linear(), sample(), [0, 5, 9], [FAMILIES[name] for name in NAMES])


def test_every_answer_is_the_models():
    for place, grid in zip([0, 5, 9], GRIDS, strict=True):
        columns = [NAMES.index(name) for name in grid.features]
        for values, said in zip(product(*grid.values), grid.outcomes, strict=True):
            row = sample().rows.values[place].copy()
            row[columns] = [np.nan if value is None else value for value in values]
            assert said == pytest.approx(float(Linear().outcomes(row[None])[0]), abs=1e-6)


def test_the_rows_own_values_come_first():
    for place, grid in zip([0, 5, 9], GRIDS, strict=True):
        assert grid.outcomes[0] == pytest.approx(sample().outcome[place], abs=1e-6)
        for name, values in zip(grid.features, grid.values, strict=True):
            own = sample().rows.values[place, NAMES.index(name)]
            assert (values[0] is None) if np.isnan(own) else values[0] == own
            assert len(set(values)) == len(values) > 1


def test_features_are_those_that_count_most_of_different_families_first():
    for place, grid in zip([0, 5, 9], GRIDS, strict=True):
        moved = np.abs(sample().contributions.values[place])
        assert len(grid.features) <= MAX_FEATURES
        assert "motives__idle" not in grid.features
        assert (
            grid.features[0] == NAMES[int(moved.argmax())]
            or len(set(sample().rows.values[:, moved.argmax()])) == 1
        )
