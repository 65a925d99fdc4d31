"""Which columns may leak and which may not; the AUC of one column, its interval, gaps and texts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brand import TASK
from created_relations import differences, record_created
from evaluation.leakage.profile import build_profiled, moments_for, split_of
from sintonia.core.config import EngineConfig
from sintonia.core.engine import connect
from sintonia.evaluation.leakage import LeakRules, find_leaks, leak_figures, moments_at
from sintonia.evaluation.leakage.leaks import MOMENT_INTERACTIONS, MOMENTS, auc, bin_values, strength
from sintonia.evaluation.leakage.report import finding_lines, leak_lines


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return build_profiled(tmp_path_factory.mktemp("brand"))


def leaks(store, workspace, rules=None):
    with connect(EngineConfig(), workspace) as connection:
        moments = moments_at(moments_for(store), split_of(store).test)
        return find_leaks(connection, store, moments, TASK, rules or LeakRules())


@pytest.fixture(scope="module")
def findings(store, tmp_path_factory):
    return {found.name: found for found in leaks(store, tmp_path_factory.mktemp("leaks"))}


def test_moments_and_what_was_seen_of_them_have_the_columns_they_declare(store, tmp_path, monkeypatch):
    created = record_created(monkeypatch)
    leaks(store, tmp_path, LeakRules(rows=50))
    assert created.keys() == {MOMENTS.name, MOMENT_INTERACTIONS.name}
    assert differences(created) == set()


def test_the_columns_of_the_present_may_leak_and_no_other(findings):
    assert {name for name, found in findings.items() if found.may_leak} == {"days_active", "last_seen"}


def test_a_column_updated_today_is_strong_but_known_only_after_the_decision(findings):
    found = findings["days_active"]
    assert found.own_known_at
    assert found.known_share == 0
    assert found.late_days > 10
    assert "known only after the moment of decision" in found.why
    assert "100% of its values have the same date, 2025-11-07" in found.why


def test_a_strong_column_without_a_known_at_of_its_own_is_named(findings):
    found = findings["last_seen"]
    assert not found.own_known_at
    assert found.known_share == 1
    assert "silo 'since_registration' maps no known_at" in found.why


def test_strength_alone_does_not_make_a_leak(findings):
    """What was asked at the registration, and a count of purchases, are as strong as what leaks."""
    for name in ("pace", "count of purchase"):
        assert findings[name].strength.low > LeakRules().strong_auc
        assert not findings[name].may_leak
    assert findings["pace"].why == "strong, and known before the decision by a known_at of its own"
    assert findings["count of purchase"].why == "strong, and every event it is computed from has its own time"


def test_a_weak_column_is_left_alone_wherever_its_time_comes_from(findings):
    for name in ("eye", "eyes"):
        assert findings[name].strength.low < LeakRules().strong_auc
        assert "not strong" in findings[name].why


def test_a_mapping_that_gives_known_at_answers_for_the_column(store, tmp_path):
    silos = tuple(replace(silo, own_known_at=True) for silo in store.silos)
    found = {one.name: one for one in leaks(replace(store, silos=silos), tmp_path)}
    assert not found["last_seen"].may_leak


def test_the_same_seed_finds_the_same_and_few_moments_find_nothing(store, tmp_path):
    rules = LeakRules(rows=120, seed=5)
    assert leaks(store, tmp_path, rules) == leaks(store, tmp_path, rules)
    few = leaks(store, tmp_path, LeakRules(rows=8))
    assert {found.why for found in few} == {"too few outcomes to estimate its AUC"}


def test_lines_name_the_column_its_silo_and_the_reason(findings):
    lines = finding_lines(list(findings.values()))
    assert sum("MAY LEAK" in line for line in lines) == 2
    assert "May leak: last_seen of silo 'since_registration', AUC alone" in lines[-1] + lines[-2]
    honest = [found for found in findings.values() if not found.may_leak]
    assert leak_lines(honest) == [
        f"Leak check: none of {len(honest)} columns of the store may leak the future."
    ]


def test_figures_tell_how_many_and_which(findings):
    told = leak_figures(list(findings.values()))
    assert told["columns"] == len(findings)
    assert sorted(told["may_leak"]) == ["since_registration: last_seen", "updated_today: days_active"]


TEACH = np.array([True] * 6 + [False] * 2)


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4)), min_size=2, max_size=30).filter(
        lambda rows: len({label for label, _ in rows}) == 2
    )
)
def test_auc_is_the_share_of_pairs_in_the_right_order(rows):
    label, score = (np.array(column) for column in zip(*rows, strict=True))
    pairs = [(up > down) + (up == down) / 2 for up in score[label == 1] for down in score[label == 0]]
    found, variance = auc(label.astype(np.int8), score.astype(float))
    assert found == pytest.approx(np.mean(pairs))
    assert variance >= 0


def test_the_interval_covers_the_truth_nineteen_times_in_twenty():
    """Scores of the positives are shifted by one standard deviation, so the AUC is Phi(1 / sqrt(2)) = 0.7602."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        label = (rng.random(200) < 0.3).astype(np.int8)
        found, variance = auc(label, rng.normal(size=200) + label)
        covered += abs(found - 0.76025) <= 1.96 * variance**0.5
    assert 0.92 <= covered / 400 <= 0.98


def test_numbers_are_binned_by_the_quantiles_of_the_teaching_rows_and_none_is_a_bin_of_its_own():
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan, np.nan, 99.0])
    bins = bin_values(values, TEACH)
    assert bins[5] == bins[6] == 0
    assert bins[7] == bins[4]
    assert sorted(bins[:5].tolist()) == bins[:5].tolist()
    assert 0 not in bins[:5]


def test_texts_are_binned_by_name_and_unheard_ones_together():
    values = np.array(["a", "a", "b", None, "b", "a", "new", None], object)
    bins = bin_values(values, TEACH)
    assert bins.tolist() == [1, 1, 2, 0, 2, 1, 3, 0]


def test_either_half_is_judged_by_what_the_other_taught():
    label = np.tile([0, 1], 100).astype(np.int8)
    half = np.arange(200) < 100
    turned = np.where(half, label == 0, label == 1).astype(float)
    assert strength(turned, label, half).value == 0
    missing = np.where(label == 1, np.nan, 1.0)
    assert strength(missing, label, half).value == 1


def test_a_value_that_names_its_customer_teaches_nothing_about_others():
    label = np.random.default_rng(1).integers(0, 2, 400).astype(np.int8)
    names = np.array([f"customer {number}" for number in range(400)], object)
    assert strength(names, label, np.arange(400) % 2 == 0).value == 0.5


def test_few_outcomes_say_nothing():
    label = np.array([0] * 50 + [1] * 9 + [0] * 50, np.int8)
    assert strength(np.arange(109.0), label, np.arange(109) % 2 == 0) is None
