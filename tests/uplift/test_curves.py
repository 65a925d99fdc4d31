from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sintonia.uplift.curves import gain_curve


@st.composite
def rankings(draw):
    n, k = draw(st.integers(2, 9)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    score = rng.integers(0, draw(st.integers(1, 9)), n) / 4  # few values, many equal
    return score, rng.integers(0, k, n), rng.normal(size=(n, k)), rng.integers(0, 4, n)


def _brute(score, recommended, scores):
    """Shares and gains of all policies that treat whole groups of equal scores, best first, and the areas between."""
    n = len(score)
    points = [(0.0, 0.0)]
    for least in sorted(set(score.tolist()), reverse=True):
        treated = [row for row in range(n) if score[row] >= least]
        with_it = sum(scores[row, recommended[row]] if row in treated else scores[row, 0] for row in range(n))
        points.append((len(treated) / n, (with_it - sum(scores[row, 0] for row in range(n))) / n))
    area = sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points))
    return points, area


@settings(deadline=None)
@given(rankings())
def test_curve_and_areas_agree_with_the_values_of_all_its_policies(made):
    score, recommended, scores, customer = made
    points, area = _brute(score, recommended, scores)
    curve = gain_curve(score, recommended, scores, customer)
    assert curve.share == pytest.approx([share for share, _ in points], abs=1e-9)
    assert curve.gain == pytest.approx([gain for _, gain in points], abs=1e-9)
    assert curve.auuc.value == pytest.approx(area, abs=1e-9)
    assert curve.qini.value == pytest.approx(area - points[-1][1] / 2, abs=1e-9)
    tenths = curve.at(np.arange(1, 11) / 10)
    assert [one.value for one in curve.deciles] == pytest.approx(tenths, abs=1e-9)


@settings(deadline=None)
@given(rankings())
def test_a_ranking_without_differences_is_as_good_as_chance(made):
    score, recommended, scores, customer = made
    assert gain_curve(np.zeros_like(score), recommended, scores, customer).qini.value == pytest.approx(0)


def test_the_other_way_round_the_qini_has_the_other_sign():
    rng = np.random.default_rng(2)
    score, scores = rng.normal(size=50), rng.normal(size=(50, 2))
    one, other = (gain_curve(way * score, np.ones(50, int), scores, np.arange(50)) for way in (1, -1))
    assert one.qini.value == pytest.approx(-other.qini.value)
    assert one.at(np.array([1.0])) == pytest.approx(other.at(np.array([1.0])))
