import numpy as np
import pytest

from sintonia.core.config import SimulateSettings
from sintonia.synthetic.journeys import CALL, CHAT, COMPLAINT, DESK, FORM, REMINDER
from sintonia.synthetic.people import NEVER
from sintonia.synthetic.world import draw_world


@pytest.fixture(scope="module")
def world():
    return draw_world(SimulateSettings(customers=3000), 0, np.random.SeedSequence(5))


def test_every_complaint_comes_on_one_way_and_only_calls_and_chats_are_contacts(world):
    service, contacts = world.service, world.service.contacts
    assert np.bincount(service.channels, minlength=4).min() > 50
    opened = contacts.case[contacts.reason == COMPLAINT]
    assert len(set(opened)) == len(opened)
    in_touch = np.flatnonzero(
        ((service.channels == CALL) | (service.channels == CHAT)) & (service.opened_at < world.calendar.end)
    )
    assert set(opened) == set(in_touch)
    assert (contacts.channel[contacts.reason == COMPLAINT] == service.channels[opened]).all()


def test_only_those_with_an_account_fill_in_the_form_or_chat_on_a_complaint(world):
    ways, cases = world.service.channels, world.journeys.complaints
    account = world.people.account_from[cases.person] < cases.week
    assert account[(ways == FORM) | (ways == CHAT)].all()
    assert not account[ways == DESK].any()


def test_complaints_close_after_they_are_made_and_as_the_journeys_say(world):
    service, cases = world.service, world.journeys.complaints
    done = ~np.isnat(service.closed_at)
    assert (service.closed_at[done] > service.opened_at[done]).all()
    assert not done[cases.closed == NEVER].any()
    assert done[cases.closed < world.calendar.weeks - 1].all()


def test_reminders_come_while_the_case_is_open_and_sound_worse_than_questions(world):
    contacts, cases = world.service.contacts, world.journeys.complaints
    reminder = contacts.reason == REMINDER
    case, at = contacts.case[reminder], contacts.at[reminder]
    assert len(case) > 100
    assert (at > world.service.opened_at[case]).all()
    closed = world.service.closed_at[case]
    assert (np.isnat(closed) | (at < closed)).all()
    assert (contacts.person[reminder] == cases.person[case]).all()
    asks = contacts.reason > REMINDER
    assert contacts.sentiment[reminder].mean() < -0.5 < 0 < contacts.sentiment[asks].mean()
    assert np.abs(contacts.sentiment).max() <= 1


def test_those_with_a_complaint_and_the_talkative_get_in_touch_more(world):
    people, cases = world.people, world.journeys.complaints
    contacts = np.bincount(world.service.contacts.person, minlength=len(people))
    complained = np.isin(np.arange(len(people)), cases.person)
    assert contacts[complained].mean() > 3 * contacts[~complained].mean()
    talkative = people.talks > np.quantile(people.talks, 0.75)
    assert contacts[talkative].mean() > 1.5 * contacts[~talkative].mean()
