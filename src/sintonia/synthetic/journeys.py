"""What happens to people: interest, weekly decisions and messages, orders, complaints and customer service.

Interest follows a process of its own, which no action changes. From it come, week by week, the number of orders and
complaints; orders and customer service are then drawn at their exact times.
"""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Bools, Floats, Ints, Times
from sintonia.synthetic import actions
from sintonia.synthetic.actions import COUPON_RATE, coupon_probability
from sintonia.synthetic.arrays import draw_columns, repeat_index
from sintonia.synthetic.calendar import EFFECT_WEEKS, Calendar, minutes
from sintonia.synthetic.catalogue import ITEMS_PER_CATEGORY, LIST_PRICES
from sintonia.synthetic.people import EXTRA_QUANTITY, NEVER, Registrations, SyntheticPeople

LAG_WEEKS = 3
"""Orders follow interest by three weeks: browsing and opened e-mails react first, and the orders of the 28 days
after a decision depend on interest that is already observable when it is taken."""

_AUTOCORRELATION = 0.96
_LOG_SPREAD = 0.8
_BECOMES_DORMANT, _REACTIVATES, _DORMANCY_LOG_DROP = 1 / 70, 1 / 60, 3.5
_BROWSES_WEEKS_BEFORE = 3


@dataclass(frozen=True)
class InterestRates:
    """Rates per person and week, `EFFECT_WEEKS` past the end: (n, weeks + 4).

    `orders` and `browsing` are visits a week; `attention`, in [0, 1), scales the share of e-mails opened;
    `web_share` is the share of orders placed on the web.
    """

    orders: Floats
    browsing: Floats
    attention: Floats
    web_share: Floats


def draw_interest_rates(
    rng: np.random.Generator, people: SyntheticPeople, calendar: Calendar
) -> InterestRates:
    """Return the rates of people: 0 before registration, and in channels without a registration."""
    weeks_simulated = calendar.weeks + EFFECT_WEEKS
    # Column j is the interest of week j - LAG_WEEKS.
    factors = _draw_interest_factors(rng, len(people), weeks_simulated + LAG_WEEKS)
    weeks = np.arange(weeks_simulated)
    registered, account, card, browses = (
        weeks > since[:, None]
        for since in (
            people.first_week,
            people.account_from,
            people.card_from,
            people.account_from - 1 - _BROWSES_WEEKS_BEFORE,
        )
    )
    current = factors[:, LAG_WEEKS:]
    return InterestRates(
        orders=people.order_rate[:, None] * factors[:, :weeks_simulated] * calendar.season() * registered,
        browsing=people.browse_rate[:, None] * current * browses,
        attention=current / (0.3 + current),
        web_share=np.where(account & card, people.web_share[:, None], account.astype(float)),
    )


def _draw_interest_factors(rng: np.random.Generator, n: int, weeks: int) -> Floats:
    """Return the factor of interest on rates, (n, weeks): exp of an AR(1), less 3.5 in dormant spells."""
    log_level = rng.normal(0, _LOG_SPREAD, n)
    dormant = rng.random(n) < _BECOMES_DORMANT / (_BECOMES_DORMANT + _REACTIVATES)
    innovation = _LOG_SPREAD * np.sqrt(1 - _AUTOCORRELATION**2)
    factors = np.empty((weeks, n))
    for week in range(weeks):
        factors[week] = _interest_factor(log_level, dormant)
        log_level = _AUTOCORRELATION * log_level + rng.normal(0, innovation, n)
        dormant = dormant ^ (rng.random(n) < np.where(dormant, _REACTIVATES, _BECOMES_DORMANT))
    return np.ascontiguousarray(factors.T)


def _interest_factor(log_level: Floats, dormant: Bools) -> Floats:
    factor: Floats = np.exp(log_level - _LOG_SPREAD**2 / 2 - _DORMANCY_LOG_DROP * dormant)
    return factor


ROUTINE_MAILING = -1
"""In place of an action: the mailing every eight weeks in the time before decisions."""

_MAILING_WEEKS = 8
_COMPLAINT_EFFECT = 0.6
_CLOSES_BY_ITSELF = 0.05
"""An open complaint lowers the order rate by 60 % and closes by itself with probability 5 % a week."""


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
    """One entry per message sent; `action` is ROUTINE_MAILING or an action number."""

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

    `orders` counts orders per person and week; `lift` is the relative change of the order rate by actions and
    `coupon` whether a coupon is valid, both to `EFFECT_WEEKS` past the end; `final` is the undecided round at the end
    of the history, where every action is none.
    """

    interest: InterestRates
    orders: Ints  # (n, weeks)
    lift: Floats  # (n, weeks + 4)
    coupon: Bools  # (n, weeks + 4)
    rounds: list[SimulatedRound]
    final: SimulatedRound
    sends: Sends
    complaints: Complaints


def complaint_rate(people: SyntheticPeople) -> Floats:
    """Return the weekly probability of a complaint: it grows with the order rate."""
    rate: Floats = 0.025 * people.order_rate / (people.order_rate + 0.06)
    return rate


def complaint_factor(open_share: Floats) -> Floats:
    """Return the factor on orders, given the probability that a complaint is open."""
    factor: Floats = 1 - _COMPLAINT_EFFECT * open_share
    return factor


def next_open_share(open_share: Floats, rate: Floats) -> Floats:
    """Return the probability that a complaint is open a week later."""
    share: Floats = open_share * (1 - _CLOSES_BY_ITSELF) + (1 - open_share) * rate
    return share


def draw_journeys(
    rng: np.random.Generator, people: SyntheticPeople, registrations: Registrations, calendar: Calendar
) -> Journeys:
    """Return the journeys of people, simulated by week: decisions or mailings first, then orders, then complaints."""
    state = _JourneyState(rng, people, draw_interest_rates(rng, people, calendar))
    orders = np.zeros((len(people), calendar.weeks), dtype=np.int64)
    rounds: list[SimulatedRound] = []
    decision_weeks = set(calendar.rounds.tolist())
    for week in range(calendar.weeks):
        reachable = registrations.reachable(people, week, state.no_mail)
        if week in decision_weeks:
            rounds.append(state.decide(week, reachable, at_random=True))
            state.act(rounds[-1])
        elif week < calendar.rounds[0] and week % _MAILING_WEEKS == 1:
            recipients = np.flatnonzero(reachable[:, 0])
            state.send(recipients, week, np.full(len(recipients), ROUTINE_MAILING))
        orders[:, week] = state.order(week)
        state.complain(week)
    reachable = registrations.reachable(people, calendar.weeks, state.no_mail)
    return Journeys(
        interest=state.interest,
        orders=orders,
        lift=state.lift,
        coupon=state.coupon,
        rounds=rounds,
        final=state.decide(calendar.weeks, reachable, at_random=False),
        sends=_concatenate_sends(state.sends),
        complaints=state.complaints(),
    )


class _JourneyState:
    """The state that changes from week to week."""

    def __init__(self, rng: np.random.Generator, people: SyntheticPeople, interest: InterestRates) -> None:
        n = len(people)
        self.rng, self.people, self.interest = rng, people, interest
        self.mails = np.zeros(n, dtype=np.int64)
        self.no_mail = np.zeros(n, dtype=bool)
        self.case = np.full(n, -1)
        self.lift = np.zeros_like(interest.orders)
        self.coupon = np.zeros(interest.orders.shape, dtype=bool)
        self.sends: list[Sends] = []
        self.opened: list[tuple[Ints, int]] = []
        self.closed: list[tuple[Ints, int, bool]] = []
        self.cases = 0

    def decide(self, week: int, reachable: Bools, at_random: bool) -> SimulatedRound:
        """Return the round of a week: actions drawn at random, or all none."""
        people, complaint = self.people, self.case >= 0
        allowed = actions.eligible(reachable)
        probabilities = actions.propensities(allowed)
        decided = people.first_week < week
        drawn = draw_columns(self.rng, probabilities) if at_random else np.zeros(len(people), dtype=np.int64)
        action = np.where(decided, drawn, actions.NONE)
        lifts = actions.order_lifts(people, self.mails, complaint)
        return SimulatedRound(week, decided, allowed, probabilities, action, lifts, complaint)

    def act(self, decision_round: SimulatedRound) -> None:
        """Carry out a round: lifts and coupons from its week on, calls that close complaints, messages."""
        week, n = decision_round.week, len(self.people)
        lift = decision_round.lifts[np.arange(n), decision_round.action]
        self.lift[:, week : week + EFFECT_WEEKS] += lift[:, None] * actions.DECAY
        self.coupon[:, week : week + actions.COUPON_WEEKS] = actions.IS_COUPON[decision_round.action][:, None]
        called = (decision_round.action == actions.CARE_CALL) & decision_round.complaint
        self._close(np.flatnonzero(called & (self.rng.random(n) < actions.CALL_RESOLVES)), week, by_call=True)
        contacted = np.flatnonzero(decision_round.action != actions.NONE)
        self.send(contacted, week, decision_round.action[contacted])

    def send(self, who: Ints, week: int, action: Ints) -> None:
        """Send messages: e-mails are opened and clicked, or, with e-mail fatigue, answered by unsubscribing."""
        rng, people = self.rng, self.people
        is_email = (action == ROUTINE_MAILING) | actions.IS_EMAIL[action]
        fatigue = actions.email_fatigue(people, self.mails)[who]
        reads = people.reads_email[who] * (1 - 0.95 * fatigue) * self.interest.attention[who, week]
        opened = is_email & (rng.random(len(who)) < reads)
        clicked = opened & (
            rng.random(len(who)) < 0.03 + 0.6 * actions.message_relevance(people, who, action)
        )
        unsubscribed = is_email & (rng.random(len(who)) < 0.001 + 0.025 * fatigue)
        self.mails[who] += is_email
        self.no_mail[who] |= unsubscribed
        self.sends.append(Sends(who, np.full(len(who), week), action, opened, clicked, unsubscribed))

    def order(self, week: int) -> Ints:
        """Return the week's number of orders per person."""
        factor = complaint_factor((self.case >= 0).astype(np.float64))
        return self.rng.poisson(self.interest.orders[:, week] * factor * (1 + self.lift[:, week]))

    def complain(self, week: int) -> None:
        """Close and open complaints; each person has at most one open complaint."""
        draw, was_open = self.rng.random(len(self.people)), self.case >= 0
        self._close(np.flatnonzero(was_open & (draw < _CLOSES_BY_ITSELF)), week, by_call=False)
        registered = self.people.first_week < week
        who = np.flatnonzero(~was_open & registered & (draw < complaint_rate(self.people)))
        self.case[who] = self.cases + np.arange(len(who))
        self.cases += len(who)
        self.opened.append((who, week))

    def _close(self, who: Ints, week: int, by_call: bool) -> None:
        self.closed.append((self.case[who], week, by_call))
        self.case[who] = -1

    def complaints(self) -> Complaints:
        """Return all complaints in the order they were opened, which is their number."""
        person = np.concatenate([who for who, _ in self.opened])
        week = np.concatenate([np.full(len(who), week) for who, week in self.opened])
        closed, by_call = np.full(len(person), NEVER), np.zeros(len(person), dtype=bool)
        for cases, closing_week, call in self.closed:
            closed[cases], by_call[cases] = closing_week, call
        return Complaints(person, week, closed, by_call)


def _concatenate_sends(sends: list[Sends]) -> Sends:
    columns = ("person", "week", "action", "opened", "clicked", "unsubscribed")
    return Sends(*(np.concatenate([getattr(part, name) for part in sends]) for name in columns))


SALE_DISCOUNTS = np.array([0.10, 0.20, 0.30])
RETURN_RATE = 0.04
PRIZE_RATE = 0.5
"""Share of orders on which a person with `collector` = 1 takes a prize for points."""

_RETURN_DAYS = (2, 12)


def sale_probability(people: SyntheticPeople) -> Floats:
    """Return the probability that an order is bought in a sale, which grows with price sensitivity."""
    probability: Floats = 0.05 + 0.6 * people.price_sensitivity
    return probability


@dataclass(frozen=True)
class Orders:
    """One entry per order; `web`: placed online, in the `app` or on the site; `card`: a store ticket with a card."""

    person: Ints
    at: Times
    web: Bools
    app: Bools
    card: Bools
    coupon: Bools
    returned_at: Times  # NaT: not returned

    def __len__(self) -> int:
        """How many orders."""
        return len(self.person)


@dataclass(frozen=True)
class OrderLines:
    """One entry per line of an order: `order` is its index in Orders; `paid` and `discount` are in cents."""

    order: Ints
    item: Ints
    quantity: Ints
    paid: Ints
    discount: Ints


def draw_orders(
    rng: np.random.Generator, people: SyntheticPeople, journeys: Journeys, calendar: Calendar
) -> Orders:
    """Return the orders in order of person and week; nothing is dated at or after the history's end."""
    cells = repeat_index(journeys.orders.ravel())
    person, week = np.divmod(cells, journeys.orders.shape[1])
    web = rng.random(len(cells)) < journeys.interest.web_share[person, week]
    at = calendar.moment(rng, week, draw_local_hours(rng, people.night[person], web))
    coupon = journeys.coupon[person, week] & (rng.random(len(cells)) < coupon_probability(people)[person])
    returned_at = at + rng.integers(*_RETURN_DAYS, len(cells)).astype("m8[D]")
    returned = (rng.random(len(cells)) < RETURN_RATE) & (returned_at < calendar.end)
    card = ~web & (rng.random(len(cells)) < people.card_use[person])
    # A separate generator, so that the channel does not change what is ordered.
    app_draw = rng.spawn(1)[0].random(len(cells))
    app = web & ~people.app_guest[person] & (app_draw < people.in_app(person, week))
    in_history = at < calendar.end
    not_returned = np.datetime64("NaT", "us")
    return Orders(
        person=person[in_history],
        at=at[in_history],
        web=web[in_history],
        app=app[in_history],
        card=card[in_history],
        coupon=coupon[in_history],
        returned_at=np.where(returned, returned_at, not_returned)[in_history],
    )


def draw_local_hours(rng: np.random.Generator, night: Floats, web: Bools) -> Floats:
    """Return hours of the local clock: opening hours in stores; online, later with the trait `night`."""
    n = len(night)
    online = np.where(rng.random(n) < night, rng.normal(23.3, 1.2, n), rng.normal(14.5, 3.5, n))
    in_store = np.clip(
        np.where(rng.random(n) < 0.5, rng.normal(11.5, 1.2, n), rng.normal(17.5, 1.3, n)), 9, 20
    )
    hours: Floats = np.mod(np.where(web, online, in_store), 24)
    return hours


def draw_lines(rng: np.random.Generator, people: SyntheticPeople, orders: Orders) -> OrderLines:
    """Return the priced lines of the orders; the discounts of a sale and a coupon add up."""
    order = repeat_index(1 + rng.poisson(people.basket[orders.person]))
    person = orders.person[order]
    category = draw_columns(rng, people.category_odds[person])
    item = category * ITEMS_PER_CATEGORY + rng.integers(0, ITEMS_PER_CATEGORY, len(order))
    quantity = 1 + (rng.random(len(order)) < EXTRA_QUANTITY)
    on_sale = rng.random(len(orders)) < sale_probability(people)[orders.person]
    rate = on_sale * rng.choice(SALE_DISCOUNTS, len(orders)) + orders.coupon * COUPON_RATE
    full = LIST_PRICES[item] * quantity
    discount = np.round(full * rate[order]).astype(np.int64)
    return OrderLines(order=order, item=item, quantity=quantity, paid=full - discount, discount=discount)


FORM, DESK, CALL, CHAT = range(4)
"""Channels of customer service: a form on the site, the desk in the store, the contact centre, the chat."""

COMPLAINT, REMINDER, DELIVERY, RETURNS, PRODUCT, POINTS = range(6)
"""Reasons: a complaint opens a case, a reminder is about one that is open, the others are questions."""

_REMINDER_RATE = 0.12
_QUESTION_RATE, _STORE_QUESTION_FACTOR = 0.06, 0.3
_UNRESOLVED = 0.08
_NO_TIME = np.datetime64("NaT", "us")


@dataclass(frozen=True)
class Contacts:
    """One entry per call or chat: `case` is the complaint it is about (-1: none), `sentiment` lies in [-1, 1].

    `settled_at` is when the matter was settled, NaT if it was not.
    """

    person: Ints
    at: Times
    channel: Ints
    reason: Ints
    case: Ints
    sentiment: Floats
    settled_at: Times


@dataclass(frozen=True)
class Service:
    """The channel and times of each complaint (closed_at NaT: still open), and all calls and chats."""

    channels: Ints
    opened_at: Times
    closed_at: Times
    contacts: Contacts


def draw_service(
    rng: np.random.Generator, people: SyntheticPeople, journeys: Journeys, orders: Orders, calendar: Calendar
) -> Service:
    """Return all customer service: complaints by form, desk, call or chat, reminders and questions."""
    complaints = journeys.complaints
    channels = _complaint_channels(rng, people, complaints)
    opened_at = calendar.moment(
        rng, complaints.week, _contact_hours(rng, people, complaints.person, channels)
    )
    closed_at = _closing_times(rng, complaints, calendar)
    parts = [
        _complaint_contacts(rng, complaints, channels, opened_at, closed_at),
        _reminders(rng, people, complaints, calendar),
        _questions(rng, people, orders),
    ]
    columns = ("person", "at", "channel", "reason", "case", "sentiment", "settled_at")
    stacked = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    in_time_order = np.argsort(stacked["at"], kind="stable")
    in_time_order = in_time_order[stacked["at"][in_time_order] < calendar.end]
    return Service(
        channels, opened_at, closed_at, Contacts(**{name: stacked[name][in_time_order] for name in columns})
    )


def _complaint_channels(rng: np.random.Generator, people: SyntheticPeople, complaints: Complaints) -> Ints:
    """Return the channel of each complaint: call or chat with the trait `talks`, otherwise form or desk."""
    person = complaints.person
    account = people.account_from[person] < complaints.week
    in_touch = rng.random(len(person)) < 0.2 + 0.6 * people.talks[person]
    return np.where(
        in_touch, _call_or_chat(rng, people, person, complaints.week), np.where(account, FORM, DESK)
    )


def _call_or_chat(rng: np.random.Generator, people: SyntheticPeople, person: Ints, week: Ints) -> Ints:
    """Return CALL or CHAT for each person; only people with an account chat."""
    call = (rng.random(len(person)) < people.calls[person]) | (people.account_from[person] >= week)
    return np.where(call, CALL, CHAT)


def _contact_hours(rng: np.random.Generator, people: SyntheticPeople, person: Ints, channel: Ints) -> Floats:
    """Return hours of the local clock: desk and telephone have opening hours, form and chat do not."""
    hours: Floats = np.where(
        (channel == DESK) | (channel == CALL),
        rng.uniform(9, 19, len(person)),
        draw_local_hours(rng, people.night[person], np.ones(len(person), dtype=bool)),
    )
    return hours


def _closing_times(rng: np.random.Generator, complaints: Complaints, calendar: Calendar) -> Times:
    """Return when each case was closed, NaT if it was not: hours after a care call, otherwise in office hours."""
    closes = complaints.closed < NEVER
    week = np.where(closes, complaints.closed, 0)
    after_call = calendar.week_start(week) + minutes(rng.uniform(5, 10, len(week)) * 60)
    by_itself = calendar.moment(rng, week, rng.uniform(9, 18, len(week)))
    closed_at = np.where(complaints.by_call, after_call, by_itself)
    return np.where(closes & (closed_at < calendar.end), closed_at, _NO_TIME)


def _draw_sentiments(rng: np.random.Generator, mean: float, n: int) -> Floats:
    return np.clip(rng.normal(mean, 0.3, n), -1, 1)


def _complaint_contacts(
    rng: np.random.Generator, complaints: Complaints, channels: Ints, opened_at: Times, closed_at: Times
) -> Contacts:
    """Return the calls and chats that open a case."""
    case = np.flatnonzero((channels == CALL) | (channels == CHAT))
    n = len(case)
    return Contacts(
        person=complaints.person[case],
        at=opened_at[case],
        channel=channels[case],
        reason=np.full(n, COMPLAINT),
        case=case,
        sentiment=_draw_sentiments(rng, -0.6, n),
        settled_at=closed_at[case],
    )


def _reminders(
    rng: np.random.Generator, people: SyntheticPeople, complaints: Complaints, calendar: Calendar
) -> Contacts:
    """Return the calls and chats about a case that is still open, in the weeks it is open."""
    open_weeks = np.minimum(complaints.closed, calendar.weeks) - complaints.week - 1
    rate = _REMINDER_RATE * (0.3 + people.talks[complaints.person]) * np.minimum(open_weeks, 8)
    case = repeat_index(rng.poisson(rate))
    person = complaints.person[case]
    week = complaints.week[case] + 1 + rng.integers(0, np.maximum(open_weeks[case], 1))
    channel = _call_or_chat(rng, people, person, week)
    at = calendar.moment(rng, week, _contact_hours(rng, people, person, channel))
    n = len(case)
    return Contacts(
        person=person,
        at=at,
        channel=channel,
        reason=np.full(n, REMINDER),
        case=case,
        sentiment=_draw_sentiments(rng, -0.7, n),
        settled_at=_settlement_times(rng, at),
    )


def _questions(rng: np.random.Generator, people: SyntheticPeople, orders: Orders) -> Contacts:
    """Return questions about orders, one to seven days after them; those placed online cause more."""
    probability = _QUESTION_RATE * (0.4 + 1.5 * people.talks[orders.person])
    probability = np.where(orders.web, probability, probability * _STORE_QUESTION_FACTOR)
    order = np.flatnonzero(rng.random(len(orders)) < probability)
    person, n = orders.person[order], len(order)
    day = orders.at[order] + rng.integers(1, 8, n).astype("m8[D]")
    # Online customers have an account and can chat; the others call.
    channel = np.where(orders.web[order] & (rng.random(n) >= people.calls[person]), CHAT, CALL)
    at = day.astype("M8[D]").astype("M8[us]") + minutes(rng.uniform(8, 18, n) * 60)
    reason = np.where(
        np.isnat(orders.returned_at[order]),
        rng.choice([DELIVERY, PRODUCT, POINTS], n, p=[0.6, 0.25, 0.15]),
        RETURNS,
    )
    return Contacts(
        person=person,
        at=at,
        channel=channel,
        reason=reason,
        case=np.full(n, -1),
        sentiment=_draw_sentiments(rng, 0.15, n),
        settled_at=_settlement_times(rng, at),
    )


def _settlement_times(rng: np.random.Generator, at: Times) -> Times:
    """Return when each question was settled: during the contact, days later, or never (NaT)."""
    n = len(at)
    wait = np.where(rng.random(n) < 0.7, rng.uniform(3, 25, n), rng.exponential(1.5 * 1440, n) + 30)
    return np.where(rng.random(n) < _UNRESOLVED, _NO_TIME, at + minutes(wait))
