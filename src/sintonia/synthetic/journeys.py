"""What happens to people week by week: interest, orders, complaints, decisions and mails."""

from dataclasses import dataclass

import numpy as np

from sintonia.synthetic import actions
from sintonia.synthetic.arrays import Bools, Floats, Ints, pick_rows
from sintonia.synthetic.clock import EFFECT_WEEKS, Calendar
from sintonia.synthetic.people import NEVER, People
from sintonia.synthetic.registrations import Registrations

ROUTINE = -1
"""In place of an action: the monthly mailing of the time before decisions."""

_LAG_WEEKS = 3
_STICKINESS = 0.96
_SPREAD = 1.0
_HURT = 0.6
_CALMS = 0.05
"""Interest is an AR(1) in logs, weekly; orders follow interest by three weeks, so that browsing warms and cools
first and the orders of the 28 days after a decision rest on interest already there. An open complaint takes
60 % of orders away and closes by itself with probability 5 % a week."""


@dataclass(frozen=True)
class Drift:
    """What actions and complaints do not touch, per person and week, `EFFECT_WEEKS` past the end: (n, weeks+4)."""

    orders: Floats
    browsing: Floats
    web_share: Floats


@dataclass(frozen=True)
class Round:
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

    `orders` counts per person and week; `lift` and `coupon` say what actions added to the order rate and whether a
    coupon was live, `EFFECT_WEEKS` past the end; `final` is the round nobody has decided yet, all its actions none.
    """

    drift: Drift
    orders: Ints  # (n, weeks)
    lift: Floats  # (n, weeks + 4)
    coupon: Bools  # (n, weeks + 4)
    rounds: list[Round]
    final: Round
    sends: Sends
    complaints: Complaints


def draw_drift(rng: np.random.Generator, people: People, calendar: Calendar) -> Drift:
    """Return rates that nothing the brand does will change."""
    n, last = len(people), calendar.weeks + EFFECT_WEEKS
    interest = np.empty((n, last + _LAG_WEEKS))  # column j is the interest of week j - lag
    interest[:, 0] = rng.normal(0, _SPREAD, n)
    fresh = _SPREAD * np.sqrt(1 - _STICKINESS**2)
    for week in range(1, last + _LAG_WEEKS):
        interest[:, week] = _STICKINESS * interest[:, week - 1] + rng.normal(0, fresh, n)
    warmth = np.exp(interest - _SPREAD**2 / 2)
    weeks = np.arange(last)
    joined = weeks > people.first_week[:, None]
    account = weeks > people.account_from[:, None]
    card = weeks > people.card_from[:, None]
    browses = weeks >= people.account_from[:, None] - 3
    return Drift(
        orders=people.order_rate[:, None] * warmth[:, :last] * calendar.season() * joined,
        browsing=people.browse_rate[:, None] * warmth[:, _LAG_WEEKS:] * browses,
        web_share=np.where(account & card, people.web_share[:, None], account.astype(float)),
    )


def complaint_rate(people: People) -> Floats:
    """Return the weekly probability of a complaint: those who buy more meet more trouble."""
    rate: Floats = 0.012 * people.order_rate / (people.order_rate + 0.06)
    return rate


def trust(open_share: Floats) -> Floats:
    """Return the factor on orders, given the probability that a complaint is open."""
    factor: Floats = 1 - _HURT * open_share
    return factor


def next_open_share(open_share: Floats, rate: Floats) -> Floats:
    """Return the probability that a complaint is open a week later."""
    share: Floats = open_share * (1 - _CALMS) + (1 - open_share) * rate
    return share


class _State:
    """What changes from week to week while the brand acts; lives only inside `live`."""

    def __init__(self, n: int, weeks: int) -> None:
        self.mails = np.zeros(n, dtype=np.int64)
        self.no_mail = np.zeros(n, dtype=bool)
        self.case = np.full(n, -1)
        self.lift = np.zeros((n, weeks + EFFECT_WEEKS))
        self.coupon = np.zeros((n, weeks + EFFECT_WEEKS), dtype=bool)
        self.sends: list[Sends] = []
        self.opened: list[tuple[Ints, int]] = []
        self.closed: list[tuple[Ints, int, bool]] = []
        self.cases = 0


def live(
    rng: np.random.Generator, people: People, registrations: Registrations, calendar: Calendar
) -> Journeys:
    """Return the journeys of people: weekly, decisions first, then orders, then complaints."""
    drift = draw_drift(rng, people, calendar)
    state = _State(len(people), calendar.weeks)
    orders = np.zeros((len(people), calendar.weeks), dtype=np.int64)
    rounds: list[Round] = []
    decision_weeks = set(calendar.rounds.tolist())
    for week in range(calendar.weeks):
        if week in decision_weeks:
            reachable = registrations.reachable(people, week, state.no_mail)
            rounds.append(_decide(people, reachable, week, state, rng))
            _act(rng, people, rounds[-1], state)
        elif week < calendar.rounds[0] and week % 4 == 1:
            reachable = registrations.reachable(people, week, state.no_mail)
            _send(rng, people, np.flatnonzero(reachable[:, 0]), week, np.array(ROUTINE), state)
        rate = drift.orders[:, week] * trust((state.case >= 0).astype(float)) * (1 + state.lift[:, week])
        orders[:, week] = rng.poisson(rate)
        _complain(rng, people, week, state)
    reachable = registrations.reachable(people, calendar.weeks, state.no_mail)
    return Journeys(
        drift=drift,
        orders=orders,
        lift=state.lift,
        coupon=state.coupon,
        rounds=rounds,
        final=_decide(people, reachable, calendar.weeks, state, None),
        sends=_stack(state.sends),
        complaints=_cases(state),
    )


def _decide(
    people: People, reachable: Bools, week: int, state: _State, rng: np.random.Generator | None
) -> Round:
    """Return the round of a week, drawn at random; without a generator nobody decides."""
    allowed = actions.eligible(reachable)
    odds = actions.propensities(allowed)
    decided = people.first_week < week
    drawn = np.zeros(len(people), dtype=np.int64) if rng is None else pick_rows(rng, odds)
    complaint = state.case >= 0
    return Round(
        week=week,
        decided=decided,
        allowed=allowed,
        propensities=odds,
        action=np.where(decided, drawn, actions.NONE),
        lifts=actions.lifts(people, state.mails, complaint),
        complaint=complaint,
    )


def _act(rng: np.random.Generator, people: People, taken: Round, state: _State) -> None:
    week, everyone = taken.week, np.arange(len(people))
    lift = taken.lifts[everyone, taken.action]
    state.lift[:, week : week + EFFECT_WEEKS] += lift[:, None] * actions.FADING
    state.coupon[:, week : week + actions.COUPON_WEEKS] = actions.IS_COUPON[taken.action][:, None]
    mended = (taken.action == actions.CARE_CALL) & taken.complaint & (rng.random(len(people)) < actions.MENDS)
    _close(np.flatnonzero(mended), week, True, state)
    contacted = np.flatnonzero(taken.action != actions.NONE)
    _send(rng, people, contacted, week, taken.action[contacted], state)


def _send(
    rng: np.random.Generator, people: People, who: Ints, week: int, action: Ints, state: _State
) -> None:
    action = np.broadcast_to(action, who.shape)
    mail = (action == ROUTINE) | actions.IS_EMAIL[action]
    tired = actions.weariness(people, state.mails)[who]
    opened = mail & (rng.random(len(who)) < people.reads_email[who] * (1 - 0.85 * tired))
    clicked = opened & (rng.random(len(who)) < 0.08 + 0.35 * _appeal(people, who, action))
    left = mail & (rng.random(len(who)) < 0.001 + 0.025 * tired)
    state.mails[who] += mail
    state.no_mail[who] |= left
    state.sends.append(Sends(who, np.full(len(who), week), action, opened, clicked, left))


def _appeal(people: People, who: Ints, action: Ints) -> Floats:
    """Return how much a message speaks to its reader, in [0, 1]; it shows in clicks."""
    appeal = np.full(len(who), 0.1)
    for number, trait in (
        (actions.DISCOUNT_EMAIL, people.price_sensitivity),
        (actions.NEW_ARRIVALS, people.novelty),
    ):
        appeal = np.where(action == number, trait[who], appeal)
    return appeal


def _complain(rng: np.random.Generator, people: People, week: int, state: _State) -> None:
    chance = rng.random(len(people))
    closing = (state.case >= 0) & (chance < _CALMS)
    opening = (state.case < 0) & (people.first_week < week) & (chance < complaint_rate(people))
    _close(np.flatnonzero(closing), week, False, state)
    who = np.flatnonzero(opening)
    state.case[who] = state.cases + np.arange(len(who))
    state.cases += len(who)
    state.opened.append((who, week))


def _close(who: Ints, week: int, by_call: bool, state: _State) -> None:
    state.closed.append((state.case[who], week, by_call))
    state.case[who] = -1


def _cases(state: _State) -> Complaints:
    person = np.concatenate([who for who, _ in state.opened])
    week = np.concatenate([np.full(len(who), week) for who, week in state.opened])
    closed, by_call = np.full(len(person), NEVER), np.zeros(len(person), dtype=bool)
    for cases, at, call in state.closed:
        closed[cases], by_call[cases] = at, call
    return Complaints(person, week, closed, by_call)


def _stack(sends: list[Sends]) -> Sends:
    columns = ("person", "week", "action", "opened", "clicked", "unsubscribed")
    return Sends(*(np.concatenate([getattr(part, name) for part in sends]) for name in columns))
