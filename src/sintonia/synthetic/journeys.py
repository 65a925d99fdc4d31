"""What happens to people week by week: decisions, mails, orders and complaints."""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints
from sintonia.synthetic import actions
from sintonia.synthetic.arrays import pick_rows
from sintonia.synthetic.clock import EFFECT_WEEKS, Calendar
from sintonia.synthetic.interest import InterestRates, draw_interest_rates
from sintonia.synthetic.people import NEVER, SyntheticPeople
from sintonia.synthetic.registrations import Registrations

ROUTINE = -1
"""In place of an action: the mailing every two months of the time before decisions."""

_MAILING_WEEKS = 8
_HURT = 0.6
_CALMS = 0.05
"""An open complaint takes 60 % of orders away and closes by itself with probability 5 % a week."""


@dataclass(frozen=True)
class SimulatedRound:
    """One round's decisions for everybody, (n,) or (n, actions); `decided` marks who took part."""

    week: int
    decided: Bools
    allowed: Bools
    propensities: Floats
    action: Ints
    lifts: Floats
    complaint: Bools


@dataclass(frozen=True)
class Sends:
    """One entry per message sent; `action` is ROUTINE or an action number."""

    person: Ints
    week: Ints
    action: Ints
    opened: Bools
    clicked: Bools
    unsubscribed: Bools


@dataclass(frozen=True)
class Complaints:
    """One entry per complaint; `closed` is NEVER while it is open."""

    person: Ints
    week: Ints
    closed: Ints
    by_call: Bools


@dataclass(frozen=True)
class Journeys:
    """All that happened to a block of people.

    `orders` counts per person and week; `lift` and `coupon` say what actions added to the order rate and
    whether a coupon was live, `EFFECT_WEEKS` past the end; `final` is the round nobody has decided yet, all
    its actions none.
    """

    drift: InterestRates
    orders: Ints  # (n, weeks)
    lift: Floats  # (n, weeks + 4)
    coupon: Bools  # (n, weeks + 4)
    rounds: list[SimulatedRound]
    final: SimulatedRound
    sends: Sends
    complaints: Complaints


def complaint_rate(people: SyntheticPeople) -> Floats:
    """Return the weekly probability of a complaint: those who buy more meet more trouble."""
    rate: Floats = 0.025 * people.order_rate / (people.order_rate + 0.06)
    return rate


def trust(open_share: Floats) -> Floats:
    """Return the factor on orders, given the probability that a complaint is open."""
    factor: Floats = 1 - _HURT * open_share
    return factor


def next_open_share(open_share: Floats, rate: Floats) -> Floats:
    """Return the probability that a complaint is open a week later."""
    share: Floats = open_share * (1 - _CALMS) + (1 - open_share) * rate
    return share


def live(
    rng: np.random.Generator, people: SyntheticPeople, registrations: Registrations, calendar: Calendar
) -> Journeys:
    """Return the journeys of people: weekly, first decisions or mailings, then orders, then complaints."""
    life = _Life(rng, people, draw_interest_rates(rng, people, calendar))
    orders = np.zeros((len(people), calendar.weeks), dtype=np.int64)
    rounds: list[SimulatedRound] = []
    decision_weeks = set(calendar.rounds.tolist())
    for week in range(calendar.weeks):
        reachable = registrations.reachable(people, week, life.no_mail)
        if week in decision_weeks:
            rounds.append(life.decide(week, reachable, at_random=True))
            life.act(rounds[-1])
        elif week < calendar.rounds[0] and week % _MAILING_WEEKS == 1:
            who = np.flatnonzero(reachable[:, 0])
            life.send(who, week, np.full(len(who), ROUTINE))
        orders[:, week] = life.order(week)
        life.complain(week)
    reachable = registrations.reachable(people, calendar.weeks, life.no_mail)
    return Journeys(
        drift=life.drift,
        orders=orders,
        lift=life.lift,
        coupon=life.coupon,
        rounds=rounds,
        final=life.decide(calendar.weeks, reachable, at_random=False),
        sends=_stack(life.sends),
        complaints=life.complaints(),
    )


class _Life:
    """What changes from week to week while the brand acts."""

    def __init__(self, rng: np.random.Generator, people: SyntheticPeople, drift: InterestRates) -> None:
        n = len(people)
        self.rng, self.people, self.drift = rng, people, drift
        self.mails = np.zeros(n, dtype=np.int64)
        self.no_mail = np.zeros(n, dtype=bool)
        self.case = np.full(n, -1)
        self.lift = np.zeros_like(drift.orders)
        self.coupon = np.zeros(drift.orders.shape, dtype=bool)
        self.sends: list[Sends] = []
        self.made: list[tuple[Ints, int]] = []
        self.closed: list[tuple[Ints, int, bool]] = []
        self.cases = 0

    def decide(self, week: int, reachable: Bools, at_random: bool) -> SimulatedRound:
        """Return a week's round, its actions drawn at random, or all none."""
        people, complaint = self.people, self.case >= 0
        allowed = actions.eligible(reachable)
        odds = actions.propensities(allowed)
        decided = people.first_week < week
        drawn = pick_rows(self.rng, odds) if at_random else np.zeros(len(people), dtype=np.int64)
        action = np.where(decided, drawn, actions.NONE)
        lifts = actions.lifts(people, self.mails, complaint)
        return SimulatedRound(week, decided, allowed, odds, action, lifts, complaint)

    def act(self, taken: SimulatedRound) -> None:
        """Carry out a round: lifts and coupons from its week on, calls that mend, messages."""
        week, n = taken.week, len(self.people)
        lift = taken.lifts[np.arange(n), taken.action]
        self.lift[:, week : week + EFFECT_WEEKS] += lift[:, None] * actions.FADING
        self.coupon[:, week : week + actions.COUPON_WEEKS] = actions.IS_COUPON[taken.action][:, None]
        called = (taken.action == actions.CARE_CALL) & taken.complaint
        self._close(np.flatnonzero(called & (self.rng.random(n) < actions.MENDS)), week, by_call=True)
        contacted = np.flatnonzero(taken.action != actions.NONE)
        self.send(contacted, week, taken.action[contacted])

    def send(self, who: Ints, week: int, action: Ints) -> None:
        """Send messages; mails are opened by readers, clicked for their appeal, and make the weary leave."""
        rng, people = self.rng, self.people
        mail = (action == ROUTINE) | actions.IS_EMAIL[action]
        tired = actions.weariness(people, self.mails)[who]
        reads = people.reads_email[who] * (1 - 0.95 * tired) * self.drift.attention[who, week]
        opened = mail & (rng.random(len(who)) < reads)
        clicked = opened & (rng.random(len(who)) < 0.03 + 0.6 * actions.appeal(people, who, action))
        left = mail & (rng.random(len(who)) < 0.001 + 0.025 * tired)
        self.mails[who] += mail
        self.no_mail[who] |= left
        self.sends.append(Sends(who, np.full(len(who), week), action, opened, clicked, left))

    def order(self, week: int) -> Ints:
        """Return the week's number of orders per person."""
        calm = trust((self.case >= 0).astype(np.float64))
        return self.rng.poisson(self.drift.orders[:, week] * calm * (1 + self.lift[:, week]))

    def complain(self, week: int) -> None:
        """Close some complaints and open others; each person has at most one at a time."""
        chance, was_open = self.rng.random(len(self.people)), self.case >= 0
        self._close(np.flatnonzero(was_open & (chance < _CALMS)), week, by_call=False)
        registered = self.people.first_week < week
        who = np.flatnonzero(~was_open & registered & (chance < complaint_rate(self.people)))
        self.case[who] = self.cases + np.arange(len(who))
        self.cases += len(who)
        self.made.append((who, week))

    def _close(self, who: Ints, week: int, by_call: bool) -> None:
        self.closed.append((self.case[who], week, by_call))
        self.case[who] = -1

    def complaints(self) -> Complaints:
        """Return all complaints, numbered as they were made."""
        person = np.concatenate([who for who, _ in self.made])
        week = np.concatenate([np.full(len(who), week) for who, week in self.made])
        closed, by_call = np.full(len(person), NEVER), np.zeros(len(person), dtype=bool)
        for cases, at, call in self.closed:
            closed[cases], by_call[cases] = at, call
        return Complaints(person, week, closed, by_call)


def _stack(sends: list[Sends]) -> Sends:
    columns = ("person", "week", "action", "opened", "clicked", "unsubscribed")
    return Sends(*(np.concatenate([getattr(part, name) for part in sends]) for name in columns))
