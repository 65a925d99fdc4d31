"""Policies on real and planted logs: Hillstrom, Starbucks, planted truth; coverage and the gate over replications.

    PYTHONPATH=tests python tests/benchmarks/bench_policy.py                      # Hillstrom, Starbucks, planted
    PYTHONPATH=tests python tests/benchmarks/bench_policy.py coverage --replications 1000
    PYTHONPATH=tests python tests/benchmarks/bench_policy.py gate --replications 100
    PYTHONPATH=tests python tests/benchmarks/bench_policy.py synthetic --customers 20000

Hillstrom and Starbucks are read from SINTONIA_DATA or ../shared/data. Starbucks learns waves 0 and 168 and judges
336, all customers in both, as a brand would; its families of features were chosen on the waves that teach. Values are
doubly robust, from expectations cross-fitted on the judged wave, and stand beside those of plain S-learners on the same
features under the same caps: nothing is chosen by them.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import lightgbm
import numpy as np

from sintonia.api import pipelines
from sintonia.core.config import (
    BuildSettings,
    EffectsConfig,
    EngineConfig,
    FeaturesConfig,
    ModelConfig,
    SimulateSettings,
)
from sintonia.core.config.compose import compose
from sintonia.core.engine import connect
from sintonia.data.store import open_store
from sintonia.features import catalogue, fit
from sintonia.serving.decisions.allocation import Limit, allocate
from sintonia.uplift.dataset import (
    days_of_history,
    decision_features,
    feature_moments,
    split_decisions,
    to_logged_decisions,
    usable_features,
)
from sintonia.uplift.decision_log import read_decision_log
from sintonia.uplift.effects import less_none
from sintonia.uplift.folds import fold_of
from sintonia.uplift.forests import TrainingExamples, grow_outcome_trees, tree_inputs
from sintonia.uplift.learning import learn_effects, out_of_fold_predictions
from sintonia.uplift.off_policy import difference, doubly_robust, doubly_robust_scores
from sintonia.uplift.policies import best_gain, constant_policy, gains
from sintonia.uplift.study import study
from sintonia.uplift.texts import study_lines
from uplift.planted import planted
from uplift.test_off_policy import coverage

DATA = Path(os.environ.get("SINTONIA_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
FAMILIES = FeaturesConfig(families=["rfm", "kinds", "profile", "response"], windows_days=[7, 30])
CAP = 0.075
"""The share of the customers that each of the ten offers was sent to."""


def composed(verb, *words):
    return compose(verb, words)


def build(name, folder):
    built = composed("build", f"source={name}", "identity=deterministic", f"workspace={folder}")
    os.environ["SINTONIA_DATA"] = str(DATA)
    pipelines.build(built)
    return open_store(folder)


def read(store, settings, folder, features=FAMILIES):
    """The decision points of a store, as a log with features, and how its propensities came about."""
    config = settings.effects
    with connect(EngineConfig(), folder) as connection:
        points = read_decision_log(connection, store, config)
    past, _ = split_decisions(points, config.judge_from)
    features = usable_features(features, config, days_of_history(store, points.take(past)))
    made = catalogue(features, fit(features, store, feature_moments(points).max().item()))
    values = decision_features(store, points, made, EngineConfig())
    return points, *to_logged_decisions(points, values, config, settings.actions)


def hillstrom(folder, model):
    store = build("hillstrom", folder)
    for title, words in (
        ("visits", ()),
        (
            "profit, 0.4 spend - 0.01",
            (
                "effects.reward.name=margin",
                "++effects.reward.margin_share=0.4",
                "actions.mens_email.cost=0.01",
                "actions.womens_email.cost=0.01",
            ),
        ),
    ):
        trained = composed("train", "source=hillstrom", "actions=hillstrom", "effects=hillstrom", *words)
        config = trained.effects
        points, log, logging = read(store, trained, folder)
        began = time.process_time()
        found = study(log, log, model, config)
        print(f"\nHillstrom, {title} ({time.process_time() - began:.0f} processor seconds)")
        print("\n".join(study_lines(found, logging, points)))


def starbucks(folder, model):
    store = build("starbucks_offers", folder)
    trained = composed(
        "train", "source=starbucks_offers", "actions=starbucks_offers", "effects=starbucks_offers"
    )
    config = trained.effects
    points, log, _ = read(store, trained, folder)
    first = points.decided_at.min()
    wave = (points.decided_at - first).astype("timedelta64[h]").astype(int)
    past, judged = log.take(wave < 336), log.take(wave == 336)
    began = time.process_time()
    effects = learn_effects(past, model)
    spent = time.process_time() - began
    brings = doubly_robust_scores(judged, cross_fitted(judged, model))
    own = gains(effects.predict(judged.values), judged.actions)
    place = int((effects.constants - judged.actions.costs).argmax())
    fixed = constant_policy(judged.eligible, place)
    free, held = best_gain(own, judged.eligible), capped(own)
    print(f"\nStarbucks, waves 0 and 168 teach, 336 judges ({spent:.0f} processor seconds to learn)")
    for title, policy in (
        ("nothing", constant_policy(judged.eligible, 0)),
        ("random offer", np.where(np.arange(11) > 0, 0.1, 0.0) * np.ones((len(judged), 1))),
        (f"always {judged.actions.names[place]}", fixed),
        ("best gain", free),
        (f"at most {CAP:.1%} an offer", held),
    ):
        print(f"  {title:<28}{doubly_robust(brings, policy, judged.customer).text():>28}")
    moved = int((free != fixed).any(axis=1).sum())
    less = difference(brings, free, fixed, judged.customer).text()
    print(f"  best gain less the constant {less:>28}, {moved:,} customers moved")
    shares = judged.logging_propensities
    print(f"  capped less random shares   {difference(brings, held, shares, judged.customer).text():>28}")
    for leaves in (15, 31):
        theirs = capped(gains(s_learner(past, judged, leaves), judged.actions))
        value, less = (
            difference(brings, one, other, judged.customer)
            for one, other in ((theirs, shares), (held, theirs))
        )
        print(f"  S-learner of {leaves} leaves, capped {value.text():>25}; ours less it {less.text()}")
    print(f"  weights: trees, slopes, trees of scores {effects.full.weights.round(2)}")
    found = study(past, judged, model, config)
    print(f"  by separate customers: {found.gate.sentence}")


def s_learner(past, judged, leaves):
    """Each action's effect by plain LightGBM on features and action, as one would write it in a notebook."""
    trees = lightgbm.LGBMRegressor(
        n_estimators=200, learning_rate=0.05, num_leaves=leaves, n_jobs=2, verbose=-1
    )
    trees.fit(tree_inputs(past.values, past.actions, past.action), past.reward)
    everybody = np.zeros(len(judged), np.int64)
    said = [trees.predict(tree_inputs(judged.values, judged.actions, everybody + at)) for at in range(11)]
    return less_none(np.column_stack(said))


def capped(own):
    """The best assignment in which no offer has more than its share."""
    count = own.shape[1]
    limits = [Limit(str(at), np.eye(count)[at], CAP * len(own)) for at in range(1, count)]
    return np.eye(count)[allocate(own.astype(np.float32), limits).choice]


def cross_fitted(log, model, folds=5, seed=11):
    """Expected rewards of the judged decisions from other customers of the same wave."""
    fold = fold_of(log.customer, folds, seed)
    examples = TrainingExamples(tree_inputs(log.values, log.actions, log.action), log.reward, fold)
    return out_of_fold_predictions(grow_outcome_trees(examples, folds, model, seed), log, fold)


def planted_truth(model, customers=4000):
    """What the gate answers, and the true regret of what it chose, with and without planted differences."""
    print(f"\nPlanted, {customers:,} customers: true values a decision (chosen, constant, oracle)")
    for heterogeneity in (0.0, 0.1, 0.3, 0.8):
        log, _ = planted(customers, heterogeneity, seed=21)
        found = study(log, log, model, EffectsConfig())
        fresh, truth = planted(50_000, heterogeneity, seed=22)
        net = truth - fresh.actions.costs
        oracle = best_gain(net - net[:, [0]], fresh.eligible)
        policies = (
            found.policy(fresh.values, fresh.eligible),
            constant_policy(fresh.eligible, found.constant_action),
            oracle,
        )
        told = " ".join(f"{(policy * net).sum(axis=1).mean():8.3f}" for policy in policies)
        print(f"  differences {heterogeneity:.1f}: {told}  {found.gate.sentence}")


def gate(model, replications, customers=3000):
    """How often the gate says yes with planted differences, and without any."""
    for heterogeneity in (0.0, 0.3, 0.8):
        passed = 0
        for replication in range(replications):
            log, _ = planted(customers, heterogeneity, seed=5000 + replication)
            passed += study(log, log, model, EffectsConfig(folds=2), seed=replication).gate.passed
        print(
            f"Gate, differences {heterogeneity:.1f}: yes in {passed} of {replications} ({passed / replications:.1%})"
        )


def synthetic(folder, model, customers):
    """Regret against the oracle on the synthetic brand, eight weeks before the end judged by its truth."""
    import pyarrow.parquet as pq

    root = f"{folder}/silos"
    simulated = composed("simulate", f"customers={customers}", f"workspace={folder}")
    assert isinstance(simulated, SimulateSettings)
    pipelines.simulate(simulated)
    built = composed("build", "identity=deterministic", f"workspace={folder}", f"source.root={root}")
    assert isinstance(built, BuildSettings)
    pipelines.build(built)
    store = open_store(folder)
    trained = composed("train", "effects=margin")
    config = trained.effects
    features = FeaturesConfig(
        families=["rfm", "kinds", "profile", "response", "trust"], windows_days=[30, 180]
    )
    points, log, _ = read(store, trained, folder, features)
    rounds = np.unique(points.decided_at)
    start = rounds[-2]
    past = log.take((points.until <= start) & (points.decided_at >= start - np.timedelta64(88, "D")))
    judged = points.decided_at == start
    found = study(past, past, model, config)
    print(
        f"\nSynthetic brand, {customers:,} customers, {len(past):,} decisions of 60 days whose rewards had closed"
    )
    print(f"  {found.gate.sentence}")
    now = log.take(judged)
    told = _truth(folder, store, points, judged, pq)
    net = told["reward"] - log.actions.costs
    allowed = now.eligible & np.isfinite(net)
    known = np.isfinite(net).all(axis=1)
    oracle = best_gain(net - net[:, [0]], allowed)
    for title, policy in (
        ("nothing", constant_policy(allowed, 0)),
        (f"always {found.gate.constant}", constant_policy(allowed, found.constant_action)),
        ("chosen", found.policy(now.values, allowed)),
        ("oracle", oracle),
    ):
        value = np.where(policy[known] > 0, policy[known] * net[known], 0).sum(axis=1).mean()
        print(
            f"  true value of {title:<24}{value:8.3f} EUR a decision, {known.mean():.0%} of the customers known"
        )


def _truth(folder, store, points, judged, pq):
    """The expected reward of every action for a round's customers, by who they truly are; else NaN."""
    outcomes = pq.read_table(sorted((Path(folder) / "truth").glob("outcomes*"))).to_pandas()
    name = points.round_id[judged][0].rpartition(":")[2]
    outcomes = outcomes[outcomes["round_id"] == name]
    records = pq.read_table(sorted((Path(folder) / "truth").glob("records*"))).to_pandas()
    keys = store.read_crosswalk("crm").to_pandas()
    owner = keys.merge(records[records["source"] == "crm"], on="source_key")[["customer_id", "person_id"]]
    owner = owner.drop_duplicates("customer_id").set_index("customer_id")["person_id"]
    table = outcomes.pivot(index="person_id", columns="action_id", values="expected_reward")
    people = owner.reindex(points.customer_id[judged])
    return {"reward": table.reindex(people.to_numpy())[list(points.names)].to_numpy() / 100}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["hillstrom", "starbucks", "planted"])
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--customers", type=int, default=20_000)
    asked = parser.parse_args()
    model = ModelConfig(threads=1)
    with tempfile.TemporaryDirectory() as folder:
        for what in asked.what:
            began = time.time(), time.process_time()
            if what == "hillstrom":
                hillstrom(Path(folder) / what, model)
            elif what == "starbucks":
                starbucks(Path(folder) / what, model)
            elif what == "planted":
                planted_truth(model)
            elif what == "gate":
                gate(ModelConfig(threads=1, max_trees=200), asked.replications)
            elif what == "synthetic":
                synthetic(Path(folder) / what, model, asked.customers)
            elif what == "coverage":
                held = coverage(asked.replications, seed=1000)
                print(
                    f"Coverage of 95 % intervals over {asked.replications} replications: value {held[0]:.1%}, "
                    f"difference of two policies {held[1]:.1%}"
                )
            print(
                f"[{what}: {time.time() - began[0]:.0f} s, {time.process_time() - began[1]:.0f} processor seconds]"
            )


if __name__ == "__main__":
    main()
