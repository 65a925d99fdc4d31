"""What the brand can do, whom it may do it to, at random with which probability, and what it truly does."""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.synthetic.people import SyntheticPeople


@dataclass(frozen=True)
class Action:
    """One action: its channel ('' for none), its cost in cents a contact and its weight in the draw."""

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

FADING = np.array([1.0, 0.9, 0.7, 0.5])
"""Share of an action's lift that is left in each of the four weeks it works."""

COUPON_RATE = 0.10
"""A coupon takes this share off the list price of orders in the two weeks until the next round."""

COUPON_WEEKS = 2
MENDS = 0.85
"""Probability that a care call closes an open complaint."""


def eligible(reachable: Bools) -> Bools:
    """Return who may have which action, (n, actions), from who can be reached on which channel, (n, 4)."""
    columns = [reachable[:, CONSENT_COLUMNS.index(action.channel)] for action in ACTIONS if action.channel]
    return np.column_stack([np.ones(len(reachable), dtype=bool), *columns])


def propensities(allowed: Bools) -> Floats:
    """Return the probability with which each action is drawn, (n, actions): its weight among the eligible."""
    weights = allowed * _WEIGHTS
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def weariness(people: SyntheticPeople, mails: Ints) -> Floats:
    """Return how tired of e-mail people are, in [0, 1]: a trait that wakes as mails are received."""
    tired: Floats = people.weary * (1 - np.exp(-mails / 6.0))
    return tired


def coupon_use(people: SyntheticPeople) -> Floats:
    """Return the probability that an order under a live coupon uses it."""
    use: Floats = 0.25 + 0.65 * people.price_sensitivity
    return use


def appeal(people: SyntheticPeople, who: Ints, action: Ints) -> Floats:
    """Return how much each message speaks to its reader, in [0, 1]; clicks show it."""
    spoken = np.full(len(who), 0.1)
    spoken = np.where(action == DISCOUNT_EMAIL, people.price_sensitivity[who], spoken)
    return np.where(action == NEW_ARRIVALS, people.novelty[who], spoken)


def lifts(people: SyntheticPeople, mails: Ints, complaint: Bools) -> Floats:
    """Return the relative change of the order rate by each action in its first week, (n, actions).

    Discounts move the price-sensitive, by e-mail only those who read it; novelties move the curious, points
    the collectors; e-mail of any kind drives the weary away, and a call helps only where a complaint is open.
    """
    reads = 0.35 + 0.65 * people.reads_email
    tired = 0.5 * weariness(people, mails)
    bargain = people.price_sensitivity**2
    out = np.zeros((len(people), len(ACTIONS)))
    out[:, NEWSLETTER] = 0.10 * people.reads_email - tired
    out[:, DISCOUNT_EMAIL] = 1.9 * bargain * reads - tired
    out[:, NEW_ARRIVALS] = 1.3 * people.novelty**2 * reads - tired
    out[:, POINTS_PUSH] = 1.0 * people.collector**2 - 0.05
    out[:, DISCOUNT_SMS] = 1.6 * bargain - 0.10
    out[:, CARE_CALL] = np.where(complaint, 0.8, -0.08)
    return out
