"""The proof on a store: honest features stand, and one that peeks is caught and named."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from brand import FEATURES, TASK, build_brand
from builder import build_store
from evaluation.leakage.profile import moments_for
from sintonia import features
from sintonia.core.config import EngineConfig, SiloConfig
from sintonia.core.engine import connect
from sintonia.evaluation.leakage import InvarianceQuestion, check_invariance, choose_dates
from sintonia.evaluation.leakage.report import trial_lines
from sintonia.training import tasks

COMPUTE, FIT, LABEL = features.compute_features, features.fit, tasks.label_rows
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return build_brand(tmp_path_factory.mktemp("brand"), customers=120)


@pytest.fixture(scope="module")
def moments(store):
    return moments_for(store)


def trials(store, moments, folder, dates=2):
    question = InvarianceQuestion(FEATURES, TASK, choose_dates(moments, dates), customers=80)
    with connect(EngineConfig(), folder) as connection:
        return check_invariance(connection, store, moments, question, folder)


def test_features_that_do_not_peek_stay_the_same_to_the_last_byte(store, moments, tmp_path):
    found = trials(store, moments, tmp_path)
    assert [trial.way for trial in found] == ["deleted", "disturbed"] * 2
    assert all(trial.passed for trial in found)
    assert all(trial.rows > 20 for trial in found)
    assert all(trial.unknown["interactions"] for trial in found)
    assert list(tmp_path.iterdir()) == []
    assert all(line.endswith("the same to the last byte") for line in trial_lines(found)[1:])


def _as_if_known_at_once(interactions, as_ofs, made):
    place = interactions.schema.get_field_index("known_at")
    return COMPUTE(interactions.set_column(place, "known_at", interactions["occurred_at"]), as_ofs, made)


def _a_moment_too_far(interactions, as_ofs, made):
    found = COMPUTE(interactions, [as_of + MICROSECOND for as_of in as_ofs], made)
    at = pc.subtract(found["as_of"], pa.scalar(MICROSECOND, pa.duration("us"))).cast(pa.timestamp("us"))
    return found.set_column(1, "as_of", at)


def _one_feature_of_the_whole_history(interactions, as_ofs, made):
    found = COMPUTE(interactions, as_ofs, made)
    counts = interactions.group_by("customer_id").aggregate([("kind", "count")])
    place = pc.index_in(found["customer_id"], counts["customer_id"].cast(pa.string()))
    peeking = counts["kind_count"].take(place).cast(pa.float32())
    return found.set_column(found.schema.get_field_index("rfm__orders__14d"), "rfm__orders__14d", peeking)


@pytest.mark.parametrize("leak", [_as_if_known_at_once, _a_moment_too_far, _one_feature_of_the_whole_history])
def test_a_kernel_that_peeks_is_caught(store, moments, tmp_path, monkeypatch, leak):
    monkeypatch.setattr(features, "compute_features", leak)
    found = trials(store, moments, tmp_path)
    assert not all(trial.passed for trial in found if trial.way == "disturbed")
    moved = {name for trial in found for name in trial.moved}
    assert "rfm__orders__14d" in moved
    if leak is _one_feature_of_the_whole_history:
        assert moved == {"rfm__orders__14d"}
        assert "PEEKS: moved were rfm__orders__14d of" in "\n".join(trial_lines(found))


def test_what_is_fitted_to_rows_that_were_not_yet_known_is_caught(store, moments, tmp_path, monkeypatch):
    def peeking(config, store, until):
        fitted = FIT(config, store, until)
        later = sum(
            pc.sum(pc.greater(store.read_bucket(path)["known_at"], until)).as_py() for path in store.buckets
        )
        levels = {**fitted.levels, "kind": ("purchase", "view", "review")[: 2 + bool(later)]}
        return replace(fitted, levels=levels)

    monkeypatch.setattr(features, "fit", peeking)
    found = trials(store, moments, tmp_path, dates=1)
    assert not any(trial.passed for trial in found if trial.way == "deleted")
    moved = {name: rows for trial in found for name, rows in trial.moved.items()}
    assert moved["kinds__review__14d"] == found[0].rows


def test_ties_found_later_may_not_decide_who_is_asked_about(store, moments, tmp_path, monkeypatch):
    def merged_from_the_start(interactions, as_ofs, config, merges, attributes=None):
        early = pa.array([as_ofs[0] - timedelta(days=1)] * len(merges), pa.timestamp("us"))
        place = merges.schema.get_field_index("merged_at")
        return LABEL(interactions, as_ofs, config, merges.set_column(place, "merged_at", early))

    monkeypatch.setattr(tasks, "label_rows", merged_from_the_start)
    found = trials(store, moments, tmp_path, dates=1)
    assert any(trial.customers_moved for trial in found)
    assert "who is eligible, by" in "\n".join(trial_lines(found))


def test_customers_who_are_tied_to_others_later_are_among_those_looked_at(tmp_path):
    """Cookies 0 to 9 log in on day 200 to accounts that were seen before: ten merges, all after the as-of date."""
    lines = ["cookie,account,at"]
    for number in range(300):
        lines.append(f"c{number},,2025-03-01")
        lines.append(f",a{number},2025-02-01")
        lines.append(f"c{number},a{number},2025-08-01" if number < 10 else f",a{number},2025-08-01")
    (tmp_path / "web.csv").write_text("\n".join(lines) + "\n")
    web = SiloConfig(
        path="web.csv",
        identifiers={"cookie": "cookie", "account": "account"},
        occurred_at="at",
        interactions={"kind": "'purchase'", "channel": "'web'"},
    )
    store = build_store(tmp_path, {"web": web})
    as_of = np.array(["2025-03-10"], "datetime64[us]").tolist()
    labelled = tasks.label_rows(pa.concat_tables([store.read_bucket(p) for p in store.buckets]), as_of, TASK)
    question = InvarianceQuestion(FEATURES, TASK, tuple(as_of), customers=60)
    with connect(EngineConfig(), tmp_path) as connection:
        found = check_invariance(connection, store, labelled, question, tmp_path)
    assert all(trial.passed for trial in found)
    assert found[0].unknown["merges"] == 10


def test_dates_lie_where_the_moments_lie(moments):
    dates = choose_dates(moments, 3)
    all_dates = moments["as_of"].to_pylist()
    assert (dates[0], dates[-1]) == (min(all_dates), max(all_dates))
    assert len(choose_dates(moments, 99)) == len(set(all_dates))
    assert choose_dates(moments, 1) == (min(all_dates),)


def test_a_trial_that_moves_nothing_but_the_crowd_does_not_pass(store, moments, tmp_path):
    (trial, *_) = trials(store, moments, tmp_path, dates=1)
    assert trial.passed
    assert not replace(trial, customers_moved=1).passed
    assert not replace(trial, moved={"rfm__orders__14d": 1}).passed
