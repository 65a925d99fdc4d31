"""The weights of a table whose truth is known: drawn, learned and compared."""

import numpy as np
import pytest

from sintonia.data.identity.match_model import FieldPairs, kinds, learn

STRANGERS, HOUSEHOLDS, MATCHES = 200_000, 400, 500
M = {"first_name": [0.9, 0.1], "birth_date": [0.95, 0.05], "street": [0.8, 0.2], "phone": [0.9, 0.1]}
U = {
    "first_name": [0.01, 0.99],
    "birth_date": [0.001, 0.999],
    "street": [0.002, 0.998],
    "phone": [0.001, 0.999],
}


def drawn(seed=3):
    """Return the evidence of all pairs of a table with strangers, households and matches as above."""
    rng = np.random.default_rng(seed)
    kind = np.repeat([0, 1, 2], [STRANGERS, HOUSEHOLDS, MATCHES])
    evidence = {}
    for name in M:
        household = name in ("street", "phone")
        agrees = np.where((kind == 2) | ((kind == 1) & household), M[name][0], U[name][0])
        level = (rng.random(len(kind)) >= agrees).astype(np.int64)
        level[rng.random(len(kind)) < 0.1] = 2  # missing
        known = level < 2
        chance = np.bincount(level[known], minlength=2) / known.sum()
        evidence[name] = FieldPairs(level, np.full(len(kind), np.nan), chance, float(known.sum()), household)
    return evidence, len(kind)


def test_the_shares_of_matches_and_households_are_found_without_any_label():
    evidence, pairs = drawn()
    weights = learn(evidence, pairs, 1.0)
    assert weights.match_share * pairs == pytest.approx(MATCHES, rel=0.1)
    assert weights.household_share * pairs == pytest.approx(HOUSEHOLDS, rel=0.15)


def test_m_and_u_are_found_although_matches_are_among_the_random_pairs():
    evidence, pairs = drawn()
    weights = learn(evidence, pairs, 1.0)
    for name in M:
        assert weights.m[name][0] == pytest.approx(M[name][0], abs=0.05)
        assert weights.u[name][0] == pytest.approx(U[name][0], rel=0.25)


def test_a_table_without_duplicates_has_next_to_no_matches():
    rng = np.random.default_rng(1)
    level = (rng.random((4, 50_000)) >= 0.01).astype(np.int64)
    evidence = {
        name: FieldPairs(row, np.full(50_000, np.nan), np.array([0.01, 0.99]), 50_000.0, False)
        for name, row in zip("abcd", level, strict=True)
    }
    assert learn(evidence, 50_000.0, 1.0).match_share * 50_000 < 20


def test_no_candidates_at_all_leave_weights_that_can_still_score():
    empty = FieldPairs(np.empty(0, np.int64), np.empty(0), np.array([0.01, 0.99]), 1000.0, False)
    weights = learn({"email": empty}, 1000.0, 1.0)
    assert weights.match_share < 0.01
    assert weights.m["email"][0] > weights.u["email"][0]


def test_the_probabilities_of_the_kinds_never_leave_their_bounds():
    extremes = np.array([-4000.0, 0.0, 4000.0])
    match, household = kinds(extremes, extremes, 1e-6, 1e-6)
    assert np.isfinite(match).all()
    assert ((match >= 0) & (household >= 0) & (match + household <= 1 + 1e-12)).all()
