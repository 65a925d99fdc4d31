"""Expected maximum profit against the package empulse 0.13.1 and against sums done by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sintonia.core.config import ProfitConfig
from sintonia.core.errors import ConfigError
from sintonia.evaluation.profit import expected_maximum_profit


def profit(labels, scores, config=ProfitConfig()):  # noqa: B008  frozen
    """The profit of rows in any order, ties in one group."""
    labels, scores = np.asarray(labels, float), np.asarray(scores, float)
    values = np.unique(scores)[::-1]
    found = np.cumsum([labels[scores == value].sum() for value in values])
    reached = np.cumsum([(scores == value).sum() for value in values]).astype(float)
    return expected_maximum_profit(found, reached, config)


DEAR = ProfitConfig(customer_value=100, incentive=20, contact_cost=5)


@pytest.mark.parametrize(
    ("labels", "scores", "config", "expected"),
    [
        (
            [0, 1, 0, 0, 1, 1, 0, 1],
            [0.1, 0.9, 0.3, 0.2, 0.6, 0.4, 0.5, 0.8],
            ProfitConfig(),
            26.62519780614213,
        ),
        (
            [0, 1, 0, 0, 1, 0, 0, 0, 1, 0],
            [0.5, 0.5, 0.2, 0.2, 0.9, 0.4, 0.4, 0.1, 0.4, 0.3],
            DEAR,
            2.0172159839787898,
        ),
    ],
)
def test_values_are_those_of_empulse(labels, scores, config, expected):
    assert profit(labels, scores, config) == pytest.approx(expected, abs=1e-9)


@st.composite
def scored(draw):
    n = draw(st.integers(2, 25))
    labels = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(any))
    return labels, draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))


@given(scored())
def test_the_integral_equals_the_best_cutoff_averaged_over_gamma(rows):
    """The definition itself: for each gamma the best of all cutoffs, averaged over its distribution."""
    from scipy.stats import beta

    labels, scores = np.asarray(rows[0], float), np.asarray(rows[1])
    gammas = beta(DEAR.accepts_alpha, DEAR.accepts_beta).ppf((np.arange(4000) + 0.5) / 4000)
    earned = [np.zeros(len(gammas))]
    for cutoff in np.unique(scores):
        asked = scores >= cutoff
        leavers, stayers = (labels[asked] == 1).sum(), (labels[asked] == 0).sum()
        earned.append(leavers * (gammas * (100 - 20) - 5) - stayers * (20 + 5))
    brute = np.max(earned, axis=0).mean() / len(labels)
    assert profit(*rows, DEAR) == pytest.approx(brute, abs=0.02)


def test_a_campaign_that_never_pays_is_not_run():
    never = ProfitConfig(customer_value=100, incentive=90, contact_cost=90)
    assert profit([1, 0, 0], [0.9, 0.5, 0.1], never) == pytest.approx(0.0)


def test_assumptions_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match="keeping a customer would never pay"):
        ProfitConfig(customer_value=10, incentive=10)
    with pytest.raises(ConfigError, match="contact_cost=-1 is too small"):
        ProfitConfig(contact_cost=-1)
    with pytest.raises(ConfigError, match="no shape of a Beta"):
        ProfitConfig(accepts_beta=0)
