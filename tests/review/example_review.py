"""A model whose every contribution can be worked out by hand, on rows drawn once, and all that a page shows of them."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

import numpy as np

from sintonia.evaluation.drift_report import current_shift, feature_shifts, label_rates
from sintonia.evaluation.evaluate import evaluate
from sintonia.evaluation.groups import ExplainedRows, ScoredTestRows, evaluate_fairness, evaluate_groups
from sintonia.evaluation.stability import (
    date_stability,
    family_stability,
    family_sums,
    family_weights,
    feature_dependences,
)
from sintonia.explain.contributions import Contributions, feature_swarms
from sintonia.explain.sample import ExplainedSample
from sintonia.explain.what_if import what_ifs
from sintonia.review import (
    CatalogueEntry,
    DataPart,
    FoldFigures,
    LeakColumn,
    ModelEvidence,
    PromotionCheck,
    ReviewData,
    feature_weights,
)
from sintonia.review.customers import CustomerContext, RecentInteractions, choose_rows, explained_customers
from sintonia.training.dataset import Dataset
from sintonia.training.profile import deciles, fit_training_profile

NAMES = ("rfm__days", "rfm__orders", "trust__open", "motives__idle")
WEIGHTS = np.array([0.03, -0.4, 0.8, 0.0])
BASE = -0.4
DATES = (datetime(2026, 1, 1), datetime(2026, 2, 1), datetime(2026, 3, 1))
HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>"
CATALOGUE = (
    CatalogueEntry("rfm__days", "rfm", "Days since the <last> order", "days", "no order", "Habits fade"),
    CatalogueEntry("rfm__orders", "rfm", f"Orders of {HOSTILE}", "orders", "never missing", "Habits stay"),
    CatalogueEntry(
        "trust__open", "trust", "Whether a complaint is open", "yes or no", "never missing", "Anger"
    ),
    CatalogueEntry("motives__idle", "motives", "Nothing", "share", "never missing", "None"),
)
FAMILIES = {entry.name: entry.family for entry in CATALOGUE}


@dataclass(frozen=True)
class Linear:
    """Raw score = BASE + weights x (value - middle); a missing value moves nothing."""

    def moved(self, values):
        middle = np.array([40.0, 3.0, 0.0, 0.0])
        return np.nan_to_num(WEIGHTS * (values - middle))

    def raw_scores(self, values):
        return BASE + self.moved(values).sum(axis=1)

    def outcomes(self, values):
        return 1 / (1 + np.exp(-self.raw_scores(values)))


@cache
def rows(customers=300, seed=1):
    """Three dates of each customer; labels come true as often as the model says."""
    rng = np.random.default_rng(seed)
    n = customers * len(DATES)
    days = np.where(rng.random(n) < 0.1, np.nan, rng.integers(1, 100, n))
    values = np.column_stack([days, rng.integers(0, 8, n), rng.random(n) < 0.2, rng.random(n)])
    values = values.astype(np.float32)
    label = (rng.random(n) < Linear().outcomes(values)).astype(np.int8)
    ids = np.array([f"customer-{at // len(DATES):04d}" for at in range(n)], object)
    as_of = np.tile(np.array(DATES, "datetime64[us]"), customers)
    return Dataset(ids, as_of, values, label, NAMES)


@cache
def sample(seed=2):
    """All test rows, numbered at random."""
    test = rows().at(DATES[2:])
    place = np.random.default_rng(seed).permutation(len(test))
    drawn, model = test.take(place), Linear()
    found = Contributions(NAMES, model.moved(drawn.values), BASE)
    return ExplainedSample(drawn, place, model.outcomes(drawn.values), model.raw_scores(drawn.values), found)


@cache
def reference():
    """What the rows to learn from were like, and what was said of those that judge."""
    learnt = fit_training_profile(rows().at(DATES[:2]), seed=3)
    return replace(learnt, prediction_deciles=deciles(Linear().outcomes(rows().at(DATES[2:]).values)))


def history(at):
    return RecentInteractions((0, 40 + at), ("web", "store"), ("view", HOSTILE), (None, 1250), 3)


def customers():
    chosen = choose_rows(sample(), amount=False)
    region = np.array(["north", "south", ""])[np.arange(len(sample())) % 3]
    grids = what_ifs(Linear(), sample(), [*chosen], [FAMILIES[name] for name in NAMES])
    reasons = ("Bought 40 days ago, which raises the risk", HOSTILE)
    beside = [CustomerContext("", reasons, history(at), grid) for at, grid in enumerate(grids)]
    return explained_customers(
        sample(), chosen, {entry.name: entry for entry in CATALOGUE}, {"region": region}, beside
    )


def evidence():
    test, model = rows().at(DATES[2:]), Linear()
    said, owner = model.outcomes(test.values), np.arange(len(test))
    judged = ScoredTestRows(test.label.astype(float), said, owner, amount=False)
    named = {"region": np.array(["north", HOSTILE])[owner % 2], "sex": np.array(["f", "m"])[owner % 2]}
    by_date = {
        f"{date:%Y-%m-%d}": Contributions(NAMES, model.moved(rows().at([date]).values), BASE)
        for date in DATES
    }
    return ModelEvidence(
        families=family_weights(sample().contributions, FAMILIES),
        dependences=feature_dependences(sample().contributions, sample().rows.values, seed=3),
        stability=date_stability(by_date),
        retold=family_stability(
            {"2026-01-01": {"rfm": 3.0, "trust": 1.0}, "this model": {"rfm": 2.0, "trust": 2.0}}
        ),
        folds=(FoldFigures("2026-01-01", {"binary_logloss": 0.5, "auc": 0.8}),),
        groups=evaluate_groups(
            judged, named, ExplainedRows(sample().index, family_sums(sample().contributions, FAMILIES))
        ),
        fairness=evaluate_fairness(judged, named, ["sex"]),
        labels=label_rates(rows(), {"train": DATES[:1], "valid": DATES[1:2], "test": DATES[2:]}),
        profiles=feature_shifts(reference(), test, said, seed=3),
        leaks=(LeakColumn("mood", "crm", None, True, HOSTILE),),
        catalogue=CATALOGUE,
    )


@cache
def review():
    """A whole page's data, with text in it that would like to be markup."""
    test, other = rows().at(DATES[2:]), rows().at(DATES[:1])
    said = {"model": Linear().outcomes(test.values), "naive rule": np.full(len(test), 0.5)}
    contributions = sample().contributions
    told = ReviewData(
        task="churn",
        population="customers who bought in the last 56 days",
        outcome="buys nothing in the 28 days after the as-of date",
        label="1 when no purchase falls into (as_of, as_of + 28 days]",
        limits=("A propensity is no uplift.",),
        parts=(
            DataPart("train", ("2026-01-01", "2026-02-01"), 600, 300, 0.4),
            DataPart("test", ("2026-03-01",), 300, 300, 0.4),
        ),
        evaluation=evaluate(test.label, said, test.customer_id),
        weights=feature_weights(contributions, {entry.name: entry for entry in CATALOGUE}),
        swarms=tuple(feature_swarms(contributions, sample().rows.values)),
        fingerprint="sha256:4b1e0f6c9d",
        source="shop",
        synthetic=False,
        created_at="2026-06-01T08:30:00+00:00",
        model_name="shop-churn",
        model_version="3",
        run_id="8f3c2b1a",
        evidence=evidence(),
    )
    return replace(
        told,
        customers=customers(),
        gate=(
            PromotionCheck("naive rule", True, "better than the naive rule"),
            PromotionCheck("calibration", False, HOSTILE),
        ),
        now=current_shift(reference(), other, Linear().outcomes(other.values)),
    )
