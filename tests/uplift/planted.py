"""Logged decisions whose truth is known: what every action brings whom is planted, and chance draws the rest."""

import numpy as np

from sintonia.uplift.logged import Actions, LoggedDecisions

NAMES = ("none", "mail", "call", "gift")
COSTS = np.array([0.0, 0.05, 0.3, 0.1])


def effects_of(values: np.ndarray, heterogeneity: float) -> np.ndarray:
    """What each action changes: a constant, and a difference that a feature of its own tells of."""
    differences = np.column_stack([np.zeros(len(values)), values[:, 0], values[:, 1], -values[:, 0]])
    return np.array([0.0, 0.4, 0.3, 0.2]) + heterogeneity * differences


def planted(
    customers: int, heterogeneity: float, seed: int, decisions: int = 1, noise: float = 1.0
) -> tuple[LoggedDecisions, np.ndarray]:
    """Decisions and the expected reward of every action, costs not taken off.

    Mails go rather to the keen (feature 2), gifts only to those with feature 3 above 0; a customer's mood is in
    all of the customer's rewards.
    """
    rng = np.random.default_rng(seed)
    values = np.repeat(rng.standard_normal((customers, 5)), decisions, axis=0).astype(np.float32)
    n = len(values)
    odds = np.ones((n, 4))
    odds[:, 1] = np.exp(0.5 * np.clip(values[:, 2], -2, 2))
    odds[:, 3] = values[:, 3] > 0
    shares = odds / odds.sum(axis=1, keepdims=True)
    action = (shares.cumsum(axis=1) <= rng.random((n, 1))).sum(axis=1)
    expected = (1 + 0.8 * values[:, 2])[:, None] + effects_of(values, heterogeneity)
    mood = np.repeat(rng.standard_normal(customers), decisions)
    reward = expected[np.arange(n), action] + mood * 0.5 + noise * rng.standard_normal(n)
    customer = np.repeat(np.arange(customers), decisions)
    return LoggedDecisions(values, action, reward, shares, customer, Actions.of(NAMES, COSTS)), expected
