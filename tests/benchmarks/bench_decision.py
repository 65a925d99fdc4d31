"""Print how near the best possible the decision comes, what a million customers cost, and what learning leaves of it.

    PYTHONPATH=src python tests/benchmarks/bench_decision.py [--customers 1000000] [--brand 20000] [--only oracle]
                                                             [--seeds 7 8 9 10]

1. Gap: 5,000 customers and ten options within capacities, a minimum and a budget, beside the exact linear programme
   (HiGHS), for customers who differ and for customers who are all alike.
2. Speed: everything from what is allowed and what it changes to decisions, reasons and hours, on arrays.
3. Oracle: the synthetic brand, its identities joined as `sintonia build` joins them, after 60 days of randomised
   decisions, six actions and none, capacities on two channels and a budget; the effects are learned from these logs,
   and the same constraints bind the oracle, who knows them. Features look back over the two years that there are,
   for tastes are slow: on left-out customers slopes explain 5 % more than with one year. A brand a seed.

Seconds are given by the clock and by the processor, for the machine may be busy with other things.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from scipy.optimize import linprog
from scipy.sparse import csr_matrix
from scipy.stats import t as student

from sintonia.cli import main as main_of_cli
from sintonia.core.config import (
    ActionConfig,
    CapacityConfig,
    EffectsConfig,
    EngagementConfig,
    EngineConfig,
    FeaturesConfig,
    ModelConfig,
    RewardConfig,
)
from sintonia.core.config import ActionConfig as Action
from sintonia.core.engine import connect
from sintonia.data.store import Store, open_store
from sintonia.features import History, catalogue, compute_features, fit
from sintonia.features import plan as features_plan
from sintonia.serving.decisions.allocation import Limit, allocate
from sintonia.serving.decisions.choosing import DecisionCase, Factors, Options, choose
from sintonia.serving.decisions.eligibility import RefusalRule, Refusals
from sintonia.serving.decisions.explanations import why_table
from sintonia.serving.decisions.kernels import Visits
from sintonia.serving.decisions.rounds import RoundSpec, decisions_table, send_times
from sintonia.serving.decisions.timing import CustomerVisits, VisitBlock, find_send_hours
from sintonia.uplift.dataset import decision_features, to_logged_decisions
from sintonia.uplift.decision_log import read_decision_log
from sintonia.uplift.effects import Effects
from sintonia.uplift.learning import learn_effects

CHANNELS = ("email", "email", "email", "push", "push", "sms", "sms", "phone", "phone", "web")
COSTS = (0.02, 0.02, 0.02, 0.01, 0.01, 0.07, 0.07, 3.5, 3.5, 0.6)
NOON = datetime(2026, 7, 1, 12)
ACTIONS = {
    f"action_{at}": Action(channel, cost)
    for at, (channel, cost) in enumerate(zip(CHANNELS, COSTS, strict=True))
}


def engagement(n: int) -> EngagementConfig:
    """Return rules for ten actions, whose capacities grow with the customers."""
    most = {"email": n // 5, "push": n * 3 // 10, "sms": n // 20, "phone": n // 100, "web": n // 10}
    capacities = {channel: CapacityConfig(count, channel=channel) for channel, count in most.items()}
    capacities["action_1"] = CapacityConfig(n // 10, at_least=n // 16, action="action_1")
    return EngagementConfig(capacities=capacities, budget=0.05 * n)


def draw_effects(n: int, seed: int, alike: bool = False) -> np.ndarray:
    """Return effects in euro, (n, 11), heavy-tailed over customers, or the same for all of them."""
    rng = np.random.default_rng(seed)
    effect = np.zeros((n, len(CHANNELS) + 1), np.float32)
    one = 1 if alike else n
    effect[:, 1:] = rng.gamma(1.0, 2.0, (one, 1)) * rng.normal(0.3, 1, (one, len(CHANNELS)))
    return effect


def exact(worth: np.ndarray, limits: list[Limit]) -> float:
    """Return what the linear programme of customers' fractions is worth, by HiGHS."""
    n, options = worth.shape
    cells = np.flatnonzero(np.isfinite(worth).ravel())
    row, option = cells // options, cells % options
    once = csr_matrix((np.ones(len(cells)), (row, np.arange(len(cells)))), (n, len(cells)))
    sides = [(limit.weight, limit.at_most) for limit in limits]
    sides += [(-limit.weight, -limit.at_least) for limit in limits if limit.at_least]
    found = linprog(
        -worth.ravel()[cells].astype(float),
        A_ub=csr_matrix(np.array([weight[option] for weight, _ in sides])),
        b_ub=[bound for _, bound in sides],
        A_eq=once,
        b_eq=np.ones(n),
        method="highs",
    )
    return -float(found.fun)


def print_gap(n: int = 5000) -> None:
    """Print the value against the exact programme's, and the gap the allocation itself reports."""
    policy = engagement(n)
    print(f"{n:,} customers x 10 options, beside the exact linear programme")
    for alike in (False, True):
        for seed in range(3):
            allowed = np.random.default_rng(seed).random((n, 11)) < 0.7
            allowed[:, 0] = True
            worth, limits = prepared(ACTIONS, policy, allowed, draw_effects(n, seed, alike))
            found, begin = allocate(worth, limits), time.process_time()
            best = exact(worth, limits)
            print(
                f"  {'all alike' if alike else 'different':<10} seed {seed}: {1 - found.value / best:8.4%} below, "
                f"gap reported {found.gap:8.4%}, HiGHS {time.process_time() - begin:.1f} s"
            )


def prepared(
    actions: dict[str, Action], policy: EngagementConfig, allowed: np.ndarray, effect: np.ndarray
) -> tuple[np.ndarray, list[Limit]]:
    """Return the worth of every option, and the limits."""
    options, n = Options.of(actions, policy.allocation, policy.send.within_days), len(allowed)
    factors = Factors.of(actions, policy.factors, np.ones(n), effect)
    return options.worth(factors, allowed, hours_of(actions, policy, n), 0.0)[0], options.limits(
        policy.allocation
    )


def hours_of(actions: dict[str, Action], policy: EngagementConfig, n: int, visits: int = 0):
    """Return the best hours of customers with so many visits each at hours of the week drawn here."""
    rng = np.random.default_rng(5)
    seen = Visits(np.arange(n + 1) * visits, rng.integers(0, 168, n * visits), np.ones(n * visits))
    channels = list(dict.fromkeys(action.channel for action in actions.values()))
    clocks = CustomerVisits([VisitBlock(np.arange(n), seen)], np.zeros(n, np.int64))
    return find_send_hours(clocks, rng.integers(0, 40, n), channels, policy.send, NOON)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print the seconds of a step by the clock and by the processor."""
    wall, busy = time.perf_counter(), time.process_time()
    yield
    print(f"  {what:<34}{time.perf_counter() - wall:8.1f} s {time.process_time() - busy:8.1f} processor s")


def print_speed(n: int) -> None:
    """Print what each step costs for so many customers, and the most memory the process took."""
    policy, rng = engagement(n), np.random.default_rng(1)
    decide(policy, 1000, rng, say=False)
    print(f"{n:,} customers x 10 actions, 2 threads")
    with timed("in all"):
        decide(policy, n, rng)
    print(f"  peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def decide(policy: EngagementConfig, n: int, rng: np.random.Generator, say: bool = True) -> None:
    """Decide a round for customers drawn here, step by step."""
    show = timed if say else lambda _: contextmanager(lambda: iter([None]))()
    ids = pa.array([f"C{at:016X}" for at in range(n)])
    effect = draw_effects(n, 1)
    with show("checks"):
        refusals = Refusals.none(n, 11)
        for at in range(12):
            meant = rng.random(11) < 0.5
            refusals.refuse(
                RefusalRule(f"check {at}", "eligibility", f"reason {at}"), rng.random(n) < 0.08, meant
            )
        refusals.counts()
    with show("hours"):
        hours = hours_of(ACTIONS, policy, n, visits=8)
    with show("choice"):
        factors = Factors.of(ACTIONS, policy.factors, np.ones(n), effect)
        case = DecisionCase(ids, refusals.allowed, factors, hours, np.zeros(11, np.int64))
        chosen = choose(case, ACTIONS, policy, "r1", threads=2)
    if say:
        print(f"    gap {chosen.allocation.gap:.4%}")
    with show("decisions"):
        one = RoundSpec("r1", NOON, NOON, "bench-1", 28)
        nothing = pa.array([[]], pa.list_(pa.string())).take(pa.array(np.zeros(n, np.int32)))
        decisions_table(one, case, chosen, nothing)
        send_times(chosen, case)
    with show("reasons"):
        why_table(case, chosen, refusals)


LAST_DAYS = 60 + 28  # of decisions: 60 days of them whose rewards of 28 days are known at the end
BRAND = {
    "newsletter": ("email", 0.02),
    "discount_email": ("email", 0.02),
    "new_arrivals": ("email", 0.02),
    "points_push": ("push", 0.01),
    "discount_sms": ("sms", 0.07),
    "care_call": ("phone", 3.5),
}


def build_brand(workspace: Path, customers: int, seed: int) -> Store:
    """Return the store of a synthetic brand, simulated and built unless the workspace has one."""
    if not (workspace / "store").is_dir():
        for verb, words in (("simulate", [f"customers={customers}", f"seed={seed}"]), ("build", [])):
            done = main_of_cli([verb, f"workspace={workspace}", *words])
            assert done == 0, verb
    return open_store(workspace)


def read_truth(workspace: Path, store: Store) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return each person's customer, and what every action would truly bring, in euro, and whether it is eligible.

    A person may be several customers; it is decided for as the one that has the most decisions in the log.
    """
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"""
            WITH owner AS (
                SELECT person_id, customer_id, COUNT(*) AS times
                FROM '{store.folder}/decisions.parquet' JOIN '{store.folder}/crosswalk.parquet' AS tie
                USING (customer_id) JOIN '{workspace}/truth/records.parquet' AS truth USING (source, source_key)
                WHERE tie.source = 'crm' AND unlinked_at IS NULL GROUP BY ALL
            ), one AS (
                SELECT * FROM owner
                QUALIFY ROW_NUMBER() OVER (PARTITION BY person_id ORDER BY times DESC, customer_id) = 1
                AND ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY times DESC, person_id) = 1
            )
            SELECT customer_id, LIST(expected_reward / 100 ORDER BY LIST_POSITION(?, action_id)),
                   LIST(eligible ORDER BY LIST_POSITION(?, action_id))
            FROM '{workspace}/truth/outcomes.parquet' JOIN one USING (person_id)
            WHERE round_id = 'final' GROUP BY customer_id ORDER BY customer_id""",
            [["none", *BRAND]] * 2,
        ).fetchall()
    customers, reward, eligible = zip(*rows, strict=True)
    return list(customers), np.array(reward), np.array(eligible)


def learn(workspace: Path, store: Store, families: list[str]) -> tuple[Effects, np.ndarray, dict[str, int]]:
    """Return effects learned from the last decisions whose rewards are known, and features at the end by customer."""
    kinds = {name: ActionConfig(attributes={"discount": 1.0}) for name in BRAND if "discount" in name}
    config = EffectsConfig(reward=RewardConfig("margin", margin_share=0.5))
    with connect(EngineConfig(), workspace) as connection:
        points = read_decision_log(connection, store, config)
    end = np.datetime64(store.data_until(("purchase",)), "us")
    features = FeaturesConfig(families=families, windows_days=[30, 180, 730])
    fitted = fit(features, store, (end - np.timedelta64(LAST_DAYS, "D")).item())
    made = catalogue(features, fitted)
    points = points.take(points.decided_at >= end - np.timedelta64(LAST_DAYS, "D"))
    log, _ = to_logged_decisions(
        points, decision_features(store, points, made, EngineConfig()), config, kinds
    )
    print(f"  learning from {len(log):,} decisions of {log.customers:,} customers, {len(made)} features")
    busy = time.process_time()
    effects = learn_effects(
        log, ModelConfig(learning_rate=0.1, max_trees=300, early_stopping_rounds=20, threads=1), folds=3
    )
    print(
        f"  learned in {time.process_time() - busy:.0f} processor s; opinions count {effects.full.weights.round(2)}"
    )
    tables = []
    plan = features_plan(made)
    for path in store.buckets:
        rows = store.read_bucket(path, columns=dict.fromkeys(["customer_id", *plan.reads]))
        beside = {name: store.read_beside(name, path) for name in plan.others}
        tables.append(compute_features(History(rows, **beside) if beside else rows, [end.item()], plan))
    table = pa.concat_tables(tables)
    values = np.column_stack([table[name].to_numpy() for name in plan.names]).astype(np.float32)
    return effects, values, {who: at for at, who in enumerate(table["customer_id"].to_pylist())}


def print_oracle(workspace: Path, store: Store, families: list[str]) -> float:
    """Return what decisions on learned effects truly bring, as a share of the oracle's under the same constraints."""
    who, reward, eligible = read_truth(workspace, store)
    effects, values, place = learn(workspace, store, families)
    known = [at for at, customer in enumerate(who) if customer in place]
    reward, eligible = reward[known], eligible[known]
    order = [effects.actions.names.index(name) for name in ("none", *BRAND)]
    rows = [place[who[at]] for at in known]
    learned, constants = effects.predict(values[rows])[:, order], effects.full.constants[order]
    n = len(known)
    actions = {name: Action(channel, cost) for name, (channel, cost) in BRAND.items()}
    policy = EngagementConfig(
        capacities={
            "sms": CapacityConfig(n // 10, channel="sms"),
            "phone": CapacityConfig(n // 100, channel="phone"),
        },
        budget=0.03 * n,
    )
    true = reward - reward[:, [0]]
    rng = np.random.default_rng(7)
    guesses = {
        "oracle": true,
        "learned effects": learned,
        "constant effects": np.tile(constants, (n, 1)),
        "true effects + noise of their size": true
        + rng.normal(0, true.std(axis=0), true.shape) * (true != 0),
        "at random": rng.random(true.shape) * (np.arange(7) > 0),
    }
    print(
        f"{n:,} customers, six actions and none, 10 % texts, 1 % calls, 0.03 EUR each: true value of deciding by"
    )
    best, shares = 0.0, {}
    for name, guess in guesses.items():
        worth, limits = prepared(actions, policy, eligible, guess.astype(np.float32))
        choice = allocate(worth, limits).choice
        costs = np.array([0.0, *(cost for _, cost in BRAND.values())])
        brings = float(true[np.arange(n), choice].sum() - costs[choice].sum())
        whole = brings + float(reward[:, 0].sum())
        if name == "oracle":
            best, all_of_it = brings, whole
        shares[name] = whole / all_of_it
        print(
            f"  {name:<36}{whole:12,.0f} EUR, {whole / all_of_it:7.2%} of the oracle's; "
            f"beyond doing nothing {brings:9,.0f} EUR, {brings / best:7.2%}"
        )
    return shares["learned effects"]


def print_oracles(workspace: Path, customers: int, families: list[str], seeds: list[int]) -> None:
    """Print the oracle's part for brands drawn with these seeds, and the mean of their shares with its interval."""
    found = []
    for seed in seeds:
        print(f"Brand of seed {seed}")
        folder = workspace / str(seed)
        found.append(print_oracle(folder, build_brand(folder, customers, seed), families))
    if len(found) > 1:
        reach = student.ppf(0.975, len(found) - 1) * np.std(found, ddof=1) / np.sqrt(len(found))
        print(
            f"Mean of {len(found)} brands: {np.mean(found):.2%} of the oracle's, 95 % within {reach:.2%} of it"
        )


def main() -> None:
    """Run all parts."""
    options = argparse.ArgumentParser()
    options.add_argument("--customers", type=int, default=1_000_000)
    options.add_argument("--brand", type=int, default=20_000)
    options.add_argument("--seeds", type=int, nargs="+", default=[7], help="of the brands")
    options.add_argument("--workspace", type=Path, help="of the brands, kept for the next time")
    options.add_argument(
        "--families",
        nargs="+",
        default=["rfm", "kinds", "trust", "motives", "response", "affinity", "profile", "prior"],
    )
    options.add_argument("--only", choices=["gap", "speed", "oracle"])
    asked = options.parse_args()
    if asked.only in (None, "gap"):
        print_gap()
    if asked.only in (None, "speed"):
        print_speed(asked.customers)
    if asked.only in (None, "oracle"):
        with tempfile.TemporaryDirectory() as folder:
            print_oracles(asked.workspace or Path(folder), asked.brand, asked.families, asked.seeds)


if __name__ == "__main__":
    main()
