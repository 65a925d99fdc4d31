"""Which columns are called to account, and which are left alone."""

from dataclasses import replace

import pytest

from brand import TASK
from evaluation.leakage.profile import build_profiled, moments_for, split_of
from sintonia.core.config import EngineConfig
from sintonia.core.engine import connect
from sintonia.evaluation.leakage import LeakRules, at, find_leaks, leak_figures
from sintonia.evaluation.leakage.report import finding_lines, leak_lines


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return build_profiled(tmp_path_factory.mktemp("brand"))


def leaks(store, workspace, rules=None):
    with connect(EngineConfig(), workspace) as connection:
        moments = at(moments_for(store), split_of(store).test)
        return find_leaks(connection, store, moments, TASK, rules or LeakRules())


@pytest.fixture(scope="module")
def findings(store, tmp_path_factory):
    return {found.name: found for found in leaks(store, tmp_path_factory.mktemp("leaks"))}


def test_the_columns_of_the_present_may_leak_and_no_other(findings):
    assert {name for name, found in findings.items() if found.may_leak} == {"days_active", "last_seen"}


def test_a_column_updated_today_is_strong_but_known_only_after_the_decision(findings):
    found = findings["days_active"]
    assert found.own_known_at
    assert found.known_share == 0
    assert found.late_days > 10
    assert "known only after the moment of decision" in found.why
    assert "100% of its values bear one date, 2025-11-07" in found.why


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
    assert findings["count of purchase"].why == "strong, and every event it is made of carries its own time"


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
    assert {found.why for found in few} == {"too few outcomes to say how strong it is"}


def test_lines_name_the_column_its_silo_and_the_reason(findings):
    lines = finding_lines(list(findings.values()))
    assert sum("MAY LEAK" in line for line in lines) == 2
    assert "May leak: last_seen of silo 'since_registration', AUC alone" in lines[-1] + lines[-2]
    honest = [found for found in findings.values() if not found.may_leak]
    assert leak_lines(honest) == [
        f"Leak check: none of {len(honest)} columns of the store may tell of the future."
    ]


def test_figures_tell_how_many_and_which(findings):
    told = leak_figures(list(findings.values()))
    assert told["columns"] == len(findings)
    assert sorted(told["may_leak"]) == ["since_registration: last_seen", "updated_today: days_active"]
