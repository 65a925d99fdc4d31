"""Print how near the best possible the decision comes, what a million customers cost, and what learning leaves of it.

    PYTHONPATH=src python tests/benchmarks/bench_decision.py [--customers 1000000] [--brand 20000]

1. Gap: 5,000 customers and ten options within capacities, a minimum and a budget, beside the exact linear programme
   (HiGHS), for customers who differ and for customers who are all alike.
2. Speed: everything from what is allowed and what it changes to decisions, reasons and hours, on arrays.
3. Oracle: the synthetic brand after 60 days of randomised decisions, six actions and none, capacities on two channels
   and a budget; the effects are learned from these logs, and the same constraints bind the oracle, who knows them.

Seconds are given by the clock and by the processor, for the machine may be busy with other things.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import numpy as np
import pyarrow as pa
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from sintonia.config import CapacityConfig, EngagementConfig
from sintonia.config import EngagementActionConfig as Action
from sintonia.decision.allocation import allocate
from sintonia.decision.choosing import Case, choose
from sintonia.decision.kernels import Visits
from sintonia.decision.limits import Limit
from sintonia.decision.options import Factors, Options
from sintonia.decision.refusals import Check, Refusals
from sintonia.decision.rounds import Round, decisions_table, send_times
from sintonia.decision.timing import Clocks, find_hours
from sintonia.decision.why import why_table

CHANNELS = ("email", "email", "email", "push", "push", "sms", "sms", "phone", "phone", "web")
COSTS = (0.02, 0.02, 0.02, 0.01, 0.01, 0.07, 0.07, 3.5, 3.5, 0.6)
NOON = datetime(2026, 7, 1, 12)


def engagement(n: int) -> EngagementConfig:
    """Return a policy of ten actions, whose capacities grow with the customers."""
    actions = {
        f"action_{at}": Action(channel, cost)
        for at, (channel, cost) in enumerate(zip(CHANNELS, COSTS, strict=True))
    }
    most = {"email": n // 5, "push": n * 3 // 10, "sms": n // 20, "phone": n // 100, "web": n // 10}
    capacities = {channel: CapacityConfig(count, channel=channel) for channel, count in most.items()}
    capacities["action_1"] = CapacityConfig(n // 10, at_least=n // 16, action="action_1")
    return EngagementConfig(actions=actions, capacities=capacities, budget_eur=0.05 * n)


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
            worth, limits = prepared(policy, allowed, draw_effects(n, seed, alike))
            found, begin = allocate(worth, limits), time.process_time()
            best = exact(worth, limits)
            print(
                f"  {'all alike' if alike else 'different':<10} seed {seed}: {1 - found.value / best:8.4%} below, "
                f"gap reported {found.gap:8.4%}, HiGHS {time.process_time() - begin:.1f} s"
            )


def prepared(
    policy: EngagementConfig, allowed: np.ndarray, effect: np.ndarray
) -> tuple[np.ndarray, list[Limit]]:
    """Return the worth of every option, and the limits."""
    options, n = Options.of(policy), len(allowed)
    factors = Factors.of(policy, np.ones(n), effect)
    return options.worth(factors, allowed, hours_of(policy, n), 0.0)[0], options.limits(policy)


def hours_of(policy: EngagementConfig, n: int, visits: int = 0):
    """Return the best hours of customers with so many visits each at hours of the week drawn here."""
    rng = np.random.default_rng(5)
    seen = Visits(np.arange(n + 1) * visits, rng.integers(0, 168, n * visits), np.ones(n * visits))
    channels = list(dict.fromkeys(action.channel for action in policy.actions.values()))
    return find_hours(
        Clocks(seen, np.zeros(n, np.int64)), rng.integers(0, 40, n), channels, policy.send, NOON
    )


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
            refusals.refuse(Check(f"check {at}", "eligibility", f"reason {at}"), rng.random(n) < 0.08, meant)
        refusals.counts()
    with show("hours"):
        hours = hours_of(policy, n, visits=8)
    with show("choice"):
        factors = Factors.of(policy, np.ones(n), effect)
        case = Case(ids.to_pylist(), refusals.allowed, factors, hours, np.zeros(11, np.int64))
        chosen = choose(case, policy, "r1", threads=2)
    if say:
        print(f"    gap {chosen.allocation.gap:.4%}")
    with show("decisions"):
        one = Round("r1", NOON, NOON, "bench-1", 28)
        nothing = pa.array([[]], pa.list_(pa.string())).take(pa.array(np.zeros(n, np.int32)))
        decisions_table(one, case, chosen, ids, nothing)
        send_times(chosen, case)
    with show("reasons"):
        why_table(case, chosen, refusals, ids)


def main() -> None:
    """Run all parts."""
    options = argparse.ArgumentParser()
    options.add_argument("--customers", type=int, default=1_000_000)
    asked = options.parse_args()
    print_gap()
    print_speed(asked.customers)


if __name__ == "__main__":
    main()
