"""Who comes back to an online record shop in the 39 weeks after 30 September 1997, and what they spend.

Run `PYTHONPATH=tests python tests/benchmarks/bench_cdnow.py`. The data is found as `sintonia build source=cdnow` finds
it (SINTONIA_DATA), else in ../shared/data. Everything is fitted on purchases up to 1997-09-30 and judged once on
those of the 23,570 customers in the 273 days after. Beside the priors: a rule on recency alone, and the rules
"comes back who bought in the last horizon / 2^k". A prior ranks by expected purchases or by the probability of any,
and its spend by expected value. `forecast` is the Pareto/NBD prior corrected by what it got wrong at its mirror in the
same past, 136 days after 1997-05-17; its form was chosen on the days after 1997-05-15, 05-31 and 06-30, by corrections
learnt before. The last line of the table is no peer: it learns the answers themselves, of nine tenths of the
customers for the other tenth, from features of the past, and says how much boosted trees find to know;
nothing is chosen by it. A second table says what fits and predictions cost in processor time.
"""

import argparse
import os
import tempfile
import time
from datetime import datetime
from pathlib import Path

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import spearmanr
from sklearn.model_selection import KFold

from sintonia import cli
from sintonia.core.config import FeaturesConfig
from sintonia.data.store import Store, open_store
from sintonia.evaluation.classification import WeightedPropensities
from sintonia.evaluation.metrics import captured_shares
from sintonia.features import catalogue, compute_features, fit, plan
from sintonia.features.clv import Repeats, fit_prior
from sintonia.features.clv.forecast import HorizonOutcome, PastBuyers, fit_forecast, read_horizon_outcome
from sintonia.features.clv.prior import FITS

AS_OF = datetime(1997, 9, 30)
HORIZON_DAYS = 273
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
PAST = ("rfm", "rhythm", "motives", "engagement", "prior")
"""Families of what purchases alone tell."""
HEAD = ("", "AUC", "AP", "capture 20%", "rank corr.", "total / truth")


def judge(score: np.ndarray, value: np.ndarray, spend: np.ndarray) -> tuple[float, ...]:
    """Return AUC and average precision of the score; capture of the top fifth, rank correlation, total of the value."""
    label, spent = (~np.isnan(spend)).astype(float), np.nan_to_num(spend)
    everybody, ones = np.arange(len(score)), np.ones((1, len(score)))
    auc, precision, *_ = WeightedPropensities.prepare(label, score, everybody).measure(ones)[:, 0]
    found, reached = WeightedPropensities.prepare(spent, value, everybody).curve(ones)
    top = captured_shares(found, reached, np.array([0.2]))[0, 0]
    return auc, precision, top, spearmanr(value, spent).statistic, value.sum() / spent.sum()


def rules(known: Repeats, horizon_days: float) -> dict[str, np.ndarray]:
    """Return the naive rules' scores: recency, and whether somebody bought in the last horizon / 2^k."""
    since = known.age_days - known.recency_days
    halves = {f"in horizon / {2**k}": (since < horizon_days / 2**k).astype(float) for k in range(1, 5)}
    return {"recency": 1 / (1 + since), **halves}


def cost(known: Repeats, customers: int = 1_000_000) -> None:
    """Print processor seconds of a fit and of predictions for a million customers drawn from these, ages shifted."""
    rng = np.random.default_rng(1)
    pick = rng.integers(len(known.frequency), size=customers)
    shift = rng.integers(0, 365, customers)
    many = Repeats(
        known.frequency[pick],
        known.recency_days[pick],
        known.age_days[pick] + shift,
        known.mean_spend_cents[pick],
    )
    print(f"\n{customers:,} customers: processor seconds to fit, to predict")
    for name in FITS:
        begun = time.process_time()
        prior = fit_prior(many, name)
        fitted = time.process_time()
        prior.expect(many, HORIZON_DAYS)
        print(f"{name:20}{fitted - begun:10.1f}{time.process_time() - fitted:10.1f}")


def informed(store: Store, now: PastBuyers, came: HorizonOutcome) -> tuple[np.ndarray, np.ndarray]:
    """Return each customer's chance to come back and spend, learnt from the answers of nine tenths of the others."""
    config = FeaturesConfig(families=list(PAST), windows_days=[30, 90, 180])
    made = plan(catalogue(config, fit(config, store, AS_OF)))
    buckets = (store.read_bucket(path, columns=list(made.reads)) for path in store.buckets)
    table = pa.concat_tables([compute_features(bucket, [AS_OF], made) for bucket in buckets])
    place = pc.index_in(now.customer_id, table["customer_id"].combine_chunks()).to_numpy()
    columns = np.stack([table[name].to_numpy() for name in made.names], axis=1)[place]
    columns = np.column_stack([columns, *vars(now.repeats).values(), now.items])
    slow = {
        "n_estimators": 250,
        "learning_rate": 0.02,
        "num_leaves": 8,
        "min_child_samples": 100,
        "verbose": -1,
    }
    drawn = {"subsample": 0.7, "subsample_freq": 1, "colsample_bytree": 0.5, "reg_lambda": 10.0, "n_jobs": 1}
    boosters = (
        lightgbm.LGBMClassifier(**slow, **drawn),
        lightgbm.LGBMRegressor(objective="tweedie", **slow, **drawn),
    )
    chance, spend = np.empty(len(columns)), np.empty(len(columns))
    for most, tenth in KFold(10, shuffle=True, random_state=0).split(columns):
        comes, spends = (
            one.fit(columns[most], answers[most])
            for one, answers in zip(boosters, (came.bought, came.spend_cents), strict=True)
        )
        chance[tenth] = comes.predict_proba(columns[tenth])[:, 1]
        spend[tenth] = spends.predict(columns[tenth])
    return chance, spend


def main() -> None:
    """Build the store, fit on the past, and print the metrics of all forecasts."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    if SHARED.is_dir():
        os.environ.setdefault("SINTONIA_DATA", str(SHARED))
    with tempfile.TemporaryDirectory() as folder:
        cli.main(["build", "source=cdnow", f"workspace={folder}"])
        store = open_store(Path(folder))
        forecast, now = fit_forecast(store, AS_OF, HORIZON_DAYS)
        came = read_horizon_outcome(store, now, AS_OF, HORIZON_DAYS)
        answered = informed(store, now, came)
    # The label is `bought at all`, and some records cost nothing, so nothing bought is not spend 0.
    known, spend = now.repeats, np.where(came.bought, came.spend_cents, np.nan)
    print(
        f"\n{len(spend):,} customers, {np.mean(~np.isnan(spend)):.1%} came back, {np.nansum(spend) / 100:,.0f} dollars"
    )
    print(f"{HEAD[0]:33}" + "".join(f"{name:>14}" for name in HEAD[1:]))
    for name, score in rules(known, HORIZON_DAYS).items():
        print(
            f"{name:33}"
            + "".join(f"{value:14.3f}" for value in judge(score, score, spend)[:4])
            + f"{'-':>14}"
        )
    for name in FITS:
        expected = fit_prior(known, name).expect(known, HORIZON_DAYS)
        assert expected.value_cents is not None
        for by in ("purchases", "probability_purchase"):
            judged = judge(getattr(expected, by), expected.value_cents, spend)
            print(f"{name + ', ' + by:33}" + "".join(f"{value:14.3f}" for value in judged))
    chance, value = (of(now, HORIZON_DAYS) for of in (forecast.probability_purchase, forecast.value_cents))
    print(f"{'forecast':33}" + "".join(f"{figure:14.3f}" for figure in judge(chance, value, spend)))
    print(f"{'the answers themselves':33}" + "".join(f"{figure:14.3f}" for figure in judge(*answered, spend)))
    cost(known)


if __name__ == "__main__":
    main()
