"""The prior as a whole: fitted, kept as JSON, asked about customers; and the source cdnow fitted as published."""

import json
from dataclasses import fields
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.clv.cohort import HORIZON_DAYS, cohort, repeats
from sintonia.cli import main
from sintonia.core.errors import ConfigError, InputError
from sintonia.data.store import open_store
from sintonia.features.clv import (
    BehaviouralPrior,
    Repeats,
    count_repeats,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_pareto_nbd,
    fit_prior,
    read_purchases,
)


@pytest.fixture(scope="module", params=["bg_nbd", "pareto_nbd"])
def prior(request):
    return fit_prior(cohort(1_500, request.param, seed=2)[0], request.param)


def test_value_is_purchases_times_spend(prior):
    known = repeats((3, 60, 90, 4000), (0, 0, 90, 0))
    expected = prior.expect(known, HORIZON_DAYS)
    assert expected.value_cents == pytest.approx(expected.purchases * expected.spend_per_purchase_cents)
    assert expected.probability_alive.tolist() == prior.coming_back.probability_alive(known).tolist()
    assert (expected.probability_purchase < expected.purchases).all()


def test_prior_survives_json_to_the_last_bit(prior):
    again = BehaviouralPrior.from_json(json.loads(json.dumps(prior.as_json(), allow_nan=False)))
    assert again == prior


def test_prior_without_amounts_expects_purchases_and_no_value():
    known = cohort(1_500, "bg_nbd", seed=2)[0]
    free = Repeats(known.frequency, known.recency_days, known.age_days, 0 * known.mean_spend_cents)
    prior = fit_prior(free)
    expected = prior.expect(free, HORIZON_DAYS)
    assert expected.value_cents is None
    assert expected.spend_per_purchase_cents is None
    assert (expected.purchases > 0).all()
    assert BehaviouralPrior.from_json(prior.as_json()) == prior


def test_unknown_model_and_foreign_json_are_refused_in_words(prior):
    with pytest.raises(ConfigError, match="Unknown behavioural prior 'bgnbd'; did you mean 'bg_nbd'"):
        fit_prior(repeats((1, 2, 3)), "bgnbd")
    for foreign in (
        {},
        {**prior.as_json(), "name": "x"},
        {**prior.as_json(), "coming_back": {"r": 1, "fit": None}},
    ):
        with pytest.raises(InputError, match="Cannot read the behavioural prior"):
            BehaviouralPrior.from_json(foreign)


@pytest.fixture(scope="module")
def cdnow(real_data_dir, tmp_path_factory):
    workspace = tmp_path_factory.mktemp("cdnow")
    words = ["build", "source=cdnow", f"source.root={real_data_dir / 'cdnow'}", f"workspace={workspace}"]
    assert main([*words, "engine.buckets=1"]) in (0, None)
    store = open_store(Path(workspace))
    (bucket,) = store.buckets
    return store, store.read_bucket(bucket)


@pytest.fixture(scope="module")
def published(cdnow, real_data_dir):
    """The published sample, every tenth customer by its own numbers, as known on 30 September 1997."""
    lines = (real_data_dir / "cdnow" / "CDNOW_sample.txt").read_text().splitlines()
    number = {line.split()[0]: int(line.split()[1]) for line in lines}
    sample = cdnow[1].filter(pc.is_in(cdnow[1]["customer_id"], pa.array(sorted(number))))
    ids, purchases = read_purchases(sample)
    known = count_repeats(purchases, len(ids), [datetime(1997, 9, 30)])
    order = np.argsort([number[name] for name in ids.to_pylist()])
    return Repeats(*(getattr(known, field.name)[order, 0] for field in fields(known)))


@pytest.mark.real_data
def test_cdnow_is_built_whole(cdnow):
    store, table = cdnow
    assert (store.customers, store.interactions) == (23_570, 69_659)
    assert store.silos[0].rejected == 0
    assert store.data_until(["purchase"]) == datetime(1998, 6, 30)
    # 167,881 records for $2,500,315.63: the file's own sums.
    assert (pc.sum(table["quantity"]).as_py(), pc.sum(table["amount"]).as_py()) == (167_881, 250_031_563)


@pytest.mark.real_data
def test_cdnow_sample_has_the_published_summaries(published, real_data_dir):
    path = real_data_dir / "cdnow" / "cdnow_customers_summary_with_transactions.csv"
    theirs = np.loadtxt(path, delimiter=",", skiprows=1)[:, 1:]
    weeks = published.recency_days / 7, published.age_days / 7
    ours = np.stack([published.frequency, *weeks, published.mean_spend_cents / 100], axis=1)
    assert ours.shape == theirs.shape == (2_357, 4)
    assert np.abs(ours - theirs).max() < 0.00501  # theirs are written with two decimals


@pytest.mark.real_data
def test_cdnow_sample_gives_the_published_bg_nbd(published):
    fitted = fit_bg_nbd(published)
    parameters = (fitted.r, fitted.alpha_days / 7, fitted.a, fitted.b)
    assert parameters == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=0.0006)
    in_weeks = fitted.fit.log_likelihood + published.frequency.sum() * np.log(7)
    assert in_weeks == pytest.approx(-9582.4, abs=0.05)


@pytest.mark.real_data
def test_cdnow_sample_gives_the_published_pareto_nbd(published):
    fitted = fit_pareto_nbd(published)
    parameters = (fitted.r, fitted.alpha_days / 7, fitted.s, fitted.beta_days / 7)
    assert parameters == pytest.approx((0.553, 10.578, 0.606, 11.669), abs=0.0006)
    in_weeks = fitted.fit.log_likelihood + published.frequency.sum() * np.log(7)
    assert in_weeks == pytest.approx(-9595.0, abs=0.05)


@pytest.mark.real_data
def test_cdnow_sample_gives_the_published_gamma_gamma(published):
    fitted = fit_gamma_gamma(published)
    assert fitted.fit.customers == 946
    assert (fitted.p, fitted.q, fitted.gamma_cents / 100) == pytest.approx((6.25, 3.74, 15.45), abs=0.01)
