"""Customers who behave exactly as a model says, with what they do in the horizon afterwards."""

import numpy as np

from sintonia.features.clv import Repeats

BG_NBD = {"r": 0.6, "alpha_days": 30.0, "a": 0.9, "b": 2.5}
PARETO_NBD = {"r": 0.6, "alpha_days": 40.0, "s": 0.7, "beta_days": 120.0}
GAMMA_GAMMA = {"p": 5.0, "q": 3.5, "gamma_cents": 1500.0}
HORIZON_DAYS = 120


def repeats(*customers):
    """Return customers given as (frequency, recency_days, age_days) and optionally mean_spend_cents."""
    rows = [(*customer, 0.0)[:4] for customer in customers]
    return Repeats(*np.array(rows, float).T)


def cohort(customers, lifetimes, seed):
    """Return the repeats at as_of, and the purchases in the horizon after it.

    Everybody's first purchase is on day 0 and as_of 100 to 400 days later; moments are kept as whole days but
    not merged by day, since the models know of moments only.
    """
    rng = np.random.default_rng(seed)
    true = BG_NBD if lifetimes == "bg_nbd" else PARETO_NBD
    p, q, gamma_cents = GAMMA_GAMMA.values()
    rates = rng.gamma(true["r"], 1 / true["alpha_days"], customers)
    leave_odds = rng.beta(BG_NBD["a"], BG_NBD["b"], customers)
    ends = rng.exponential(1 / rng.gamma(PARETO_NBD["s"], 1 / PARETO_NBD["beta_days"], customers))
    age = rng.integers(100, 400, customers)
    rows, future = [], np.zeros(customers)
    for one in range(customers):
        moment, past = 0.0, []
        while (moment := moment + rng.exponential(1 / rates[one])) <= age[one] + HORIZON_DAYS:
            if lifetimes == "pareto_nbd" and moment > ends[one]:
                break
            if moment <= age[one]:
                past.append(moment)
            else:
                future[one] += 1
            if lifetimes == "bg_nbd" and rng.random() < leave_odds[one]:
                break
        scale = rng.gamma(q, 1 / gamma_cents)
        mean = rng.gamma(p * len(past), 1 / (len(past) * scale)) if past else 0.0
        rows.append((len(past), round(past[-1]) if past else 0, age[one], mean))
    return Repeats(*np.array(rows, float).T), future
