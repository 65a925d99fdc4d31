import dataclasses

import numpy as np
import pytest

from sintonia.core.config import SimulateSettings
from sintonia.synthetic import actions
from sintonia.synthetic.journeys import draw_journeys
from sintonia.synthetic.world import draw_world


@pytest.fixture(scope="module")
def world():
    return draw_world(SimulateSettings(customers=3000), 0, np.random.SeedSequence(11))


def test_nobody_orders_before_registering(world):
    weeks = np.arange(world.calendar.weeks)
    early = weeks <= world.people.first_week[:, None]
    assert world.journeys.orders[early].sum() == 0
    assert world.journeys.orders[~early].sum() > 0


def test_actions_are_taken_only_where_they_are_allowed_and_by_those_registered(world):
    for decision_round in world.journeys.rounds:
        assert decision_round.allowed[np.arange(len(decision_round.action)), decision_round.action].all()
        assert (decision_round.action[~decision_round.decided] == actions.NONE).all()
    assert (world.journeys.final.action == actions.NONE).all()


def test_nobody_gets_a_mail_after_unsubscribing(world):
    sends = world.journeys.sends
    left = dict(zip(sends.person[sends.unsubscribed], sends.week[sends.unsubscribed], strict=True))
    mails = (sends.action < 0) | actions.IS_EMAIL[sends.action]
    assert left
    for person, week in zip(sends.person[mails], sends.week[mails], strict=True):
        assert week <= left.get(person, week)


def test_the_randomised_actions_truly_change_orders(world):
    certain = dataclasses.replace(world.people, price_sensitivity=np.ones(len(world.people)))
    journeys = draw_journeys(np.random.default_rng(4), certain, world.registrations, world.calendar)
    counted = {}
    for number in (actions.NONE, actions.DISCOUNT_SMS):
        rates = [
            (journeys.orders[who, decision_round.week], journeys.interest.orders[who, decision_round.week])
            for decision_round in journeys.rounds
            for who in [np.flatnonzero(decision_round.decided & (decision_round.action == number))]
        ]
        counted[number] = sum(real.sum() for real, _ in rates) / sum(drift.sum() for _, drift in rates)
    assert counted[actions.DISCOUNT_SMS] > 1.5 * counted[actions.NONE]


def test_an_open_complaint_takes_orders_away_until_it_is_closed(world):
    cases, orders, drift = world.journeys.complaints, world.journeys.orders, world.journeys.interest.orders
    open_weeks = np.zeros(orders.shape, dtype=bool)
    for person, opened, closed in zip(cases.person, cases.week, cases.closed, strict=True):
        open_weeks[person, opened + 1 : min(closed, orders.shape[1])] = True
    calm_rate = drift[:, : orders.shape[1]]
    order_ratio = {
        state: orders[weeks].sum() / calm_rate[weeks].sum()
        for state, weeks in enumerate((~open_weeks, open_weeks))
    }
    assert order_ratio[True] < 0.7 * order_ratio[False]
