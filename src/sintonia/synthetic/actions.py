"""The actions of the brand: eligibility, logging propensities, and their true effects on orders and clicks."""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.synthetic.people import SyntheticPeople


@dataclass(frozen=True)
class Action:
    """One action: its channel ('' for none), its cost in cents per contact and its weight in the random draw."""

    action_id: str
    channel: str
    cost: int
    weight: float


ACTIONS = (
    Action("none", "", 0, 2.5),
    Action("newsletter", "email", 2, 1.0),
    Action("discount_email", "email", 2, 1.0),
    Action("new_arrivals", "email", 2, 1.0),
    Action("points_push", "push", 1, 1.0),
    Action("discount_sms", "sms", 7, 1.0),
    Action("care_call", "phone", 350, 0.8),
)
NONE, NEWSLETTER, DISCOUNT_EMAIL, NEW_ARRIVALS, POINTS_PUSH, DISCOUNT_SMS, CARE_CALL = range(len(ACTIONS))
IDS = tuple(action.action_id for action in ACTIONS)
IS_EMAIL = np.array([action.channel == "email" for action in ACTIONS])
IS_COUPON = np.array([action.action_id.startswith("discount") for action in ACTIONS])
COSTS = np.array([action.cost for action in ACTIONS])
_WEIGHTS = np.array([action.weight for action in ACTIONS])
CONSENT_COLUMNS = ("email", "sms", "push", "phone")

DECAY = np.array([1.0, 0.9, 0.7, 0.5])
"""Share of an action's initial lift that remains in each of its four weeks."""

COUPON_RATE = 0.10
"""Discount of a coupon, as a share of the list price, on orders in the two weeks until the next round."""

COUPON_WEEKS = 2
CALL_RESOLVES = 0.85
"""Probability that a care call closes an open complaint."""


def eligible(reachable: Bools) -> Bools:
    """Return which actions each person is eligible for, (n, actions), from their reachable channels, (n, 4)."""
    columns = [reachable[:, CONSENT_COLUMNS.index(action.channel)] for action in ACTIONS if action.channel]
    return np.column_stack([np.ones(len(reachable), dtype=bool), *columns])


def propensities(allowed: Bools) -> Floats:
    """Return the probability with which each action is drawn, (n, actions): its weight among the eligible."""
    weights = allowed * _WEIGHTS
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def email_fatigue(people: SyntheticPeople, mails: Ints) -> Floats:
    """Return the e-mail fatigue of people, in [0, 1]: the trait `weary`, reached as e-mails accumulate."""
    fatigue: Floats = people.weary * (1 - np.exp(-mails / 6.0))
    return fatigue


def coupon_probability(people: SyntheticPeople) -> Floats:
    """Return the probability that an order uses a valid coupon."""
    probability: Floats = 0.25 + 0.65 * people.price_sensitivity
    return probability


def message_relevance(people: SyntheticPeople, who: Ints, action: Ints) -> Floats:
    """Return the relevance of each message to its recipient, in [0, 1]; the click rate grows with it."""
    relevance = np.full(len(who), 0.1)
    relevance = np.where(action == DISCOUNT_EMAIL, people.price_sensitivity[who], relevance)
    return np.where(action == NEW_ARRIVALS, people.novelty[who], relevance)


def order_lifts(people: SyntheticPeople, mails: Ints, complaint: Bools) -> Floats:
    """Return the relative change of the order rate by each action in its first week, (n, actions).

    Discounts act on price sensitivity (by e-mail, on readers), new arrivals on novelty seeking, points on
    collecting; e-mail fatigue lowers the order rate, and a call helps only where a complaint is open.
    """
    reads = 0.35 + 0.65 * people.reads_email
    fatigue = 0.5 * email_fatigue(people, mails)
    discount_response = people.price_sensitivity**2
    relative_change = np.zeros((len(people), len(ACTIONS)))
    relative_change[:, NEWSLETTER] = 0.10 * people.reads_email - fatigue
    relative_change[:, DISCOUNT_EMAIL] = 1.9 * discount_response * reads - fatigue
    relative_change[:, NEW_ARRIVALS] = 1.3 * people.novelty**2 * reads - fatigue
    relative_change[:, POINTS_PUSH] = 1.0 * people.collector**2 - 0.05
    relative_change[:, DISCOUNT_SMS] = 1.6 * discount_response - 0.10
    relative_change[:, CARE_CALL] = np.where(complaint, 0.8, -0.08)
    return relative_change
