"""Percentiles and bands among the scored, and the dates one may score at."""

from dataclasses import replace
from datetime import datetime

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brand import CATALOGUE, FEATURES, FITTED, MODEL, SPLIT, TASK, build_brand
from sintonia.core.config import ScoreSettings, TrainSettings
from sintonia.core.errors import ConfigError
from sintonia.core.timeline import split_snapshots
from sintonia.data.store import Store
from sintonia.explain.contributions import contributions
from sintonia.serving.scoring import band, percentiles, score_customers, scoring_date
from sintonia.training.dataset import assemble
from sintonia.training.models import OutcomeModel, fit_model

SETTINGS = ScoreSettings(list="unused.csv", bands={"high": 91, "medium": 61, "low": 1})


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, OutcomeModel]:
    store = build_brand(tmp_path_factory.mktemp("brand"))
    split = split_snapshots(SPLIT, TASK, store.data_from(["purchase"]), store.data_until(["purchase"]))
    rows = assemble(store, split.all, CATALOGUE, TASK)
    settings = TrainSettings(features=FEATURES, task=TASK, model=MODEL, split=SPLIT)
    return store, fit_model(rows.at(split.train), rows.at(split.valid), settings, FITTED, store)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300))
def test_percentile_is_the_share_that_is_no_higher_rounded_up(values):
    propensity = np.array(values)
    found = percentiles(propensity)
    for value, percentile in zip(values, found.tolist(), strict=True):
        share = sum(other <= value for other in values) * 100 / len(values)
        assert 1 <= percentile <= 100
        assert share <= percentile < share + 1


def test_everybody_has_a_band():
    bands = {"high": 91, "medium": 61, "low": 1}
    assert [band(percentile, bands) for percentile in (1, 60, 61, 90, 91, 100)] == [
        "low", "low", "medium", "medium", "high", "high",
    ]  # fmt: skip


def test_scoring_twice_gives_the_same_bytes_and_company_changes_no_propensity(scored):
    """Law 4."""
    store, model = scored
    as_of = scoring_date(None, store, model)
    everybody = store.customer_ids()
    first = score_customers(store, model, as_of, SETTINGS, everybody)
    again = score_customers(store, model, as_of, SETTINGS, everybody)
    assert first.outcome.tobytes() == again.outcome.tobytes()
    said = dict(zip(first.rows.customer_id.tolist(), first.outcome.tolist(), strict=True))
    for customer in first.rows.customer_id[:5].tolist():
        alone = score_customers(store, model, as_of, SETTINGS, {customer})
        assert alone.outcome.tolist() == [said[customer]]
        assert alone.percentile.tolist() == [100]


def test_scores_are_as_of_the_last_midnight_of_complete_data(scored):
    store, model = scored
    newest = store.data_until(["purchase"])
    assert scoring_date(None, store, model) == newest.replace(hour=0, minute=0, second=0, microsecond=0)
    assert scoring_date("2025-06-01", store, model) == datetime(2025, 6, 1)


def test_date_after_the_data_is_refused(scored):
    store, model = scored
    with pytest.raises(ConfigError, match="as_of=2030-01-01 lies after the data, which end 2025-10"):
        scoring_date("2030-01-01", store, model)


def test_nobody_to_score_is_no_error(scored):
    store, model = scored
    none = score_customers(store, model, scoring_date(None, store, model), SETTINGS, set())
    assert len(none.rows) == 0
    assert none.band == ()


def test_what_no_tree_splits_on_is_not_computed_and_changes_no_score_or_contribution(scored):
    store, model = scored
    as_of = scoring_date(None, store, model)
    few = replace(model, trees=lightgbm.Booster(model_str=model.trees).model_to_string(num_iteration=1))
    assert 0 < len(few.names_used) < len(few.names)
    scores = score_customers(store, few, as_of, SETTINGS, store.customer_ids())
    full = assemble(store, [as_of], few.catalogue, TASK)
    unused = [at for at, name in enumerate(few.names) if name not in few.names_used]
    assert np.isnan(scores.rows.values[:, unused]).all()
    assert scores.rows.values[:, few.columns_used].tobytes() == full.values[:, few.columns_used].tobytes()
    assert scores.outcome.tobytes() == few.outcomes(full.values).tobytes()
    ours, theirs = (contributions(few.booster, values).values for values in (scores.rows.values, full.values))
    assert ours.tobytes() == theirs.tobytes()
