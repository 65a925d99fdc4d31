"""What a list may be expected to bring is a sum with an interval that holds what comes."""

import numpy as np

from sintonia.serving.expectation import expected_total
from sintonia.training.profile import OutcomeRatio, outcome_ratio


def test_the_interval_joins_the_error_of_the_ratio_with_chance():
    found = expected_total(400.0, OutcomeRatio(ratio=0.5, error=0.02, dispersion=0.5))
    off = 1.96 * np.sqrt((400 * 0.02) ** 2 + 0.5 * 200)
    assert (found.value, found.low, found.high) == (400, round(200 - off, 6), round(200 + off, 6))
    assert expected_total(0.0, OutcomeRatio()).low == 0


def test_nineteen_intervals_in_twenty_hold_what_comes():
    """Coverage of the interval on planted propensities, off by a tenth and found out on the test."""
    rng, held = np.random.default_rng(8), 0
    for _ in range(300):
        true = rng.beta(2, 5, 900)
        said, came = true / 0.9, rng.random(900) < true
        judged = outcome_ratio(said[:600], came[:600].astype(np.int8), np.arange(600))
        found = expected_total(float(said[600:].sum()), judged)
        held += found.low <= came[600:].sum() <= found.high
    assert 0.92 <= held / 300 <= 0.98
