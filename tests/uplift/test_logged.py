from dataclasses import replace

import numpy as np
import pytest

from sintonia.core.errors import InputError
from sintonia.uplift.logged import Actions, LoggedDecisions, concatenate

LOG = LoggedDecisions(
    values=np.zeros((3, 1), np.float32),
    action=np.array([0, 1, 1]),
    reward=np.array([1.0, 2.0, 3.0]),
    logging_propensities=np.array([[0.5, 0.5], [0.2, 0.8], [0.0, 1.0]]),
    customer=np.array([7, 7, 8]),
    actions=Actions.of(["none", "mail"]),
)


def test_what_could_have_been_done_has_a_logging_propensity():
    assert LOG.eligible.tolist() == [[True, True], [True, True], [False, True]]
    assert LOG.taken_propensities.tolist() == [0.5, 0.8, 1.0]
    assert LOG.customers == 2


def test_taking_rows_keeps_what_belongs_together():
    some = LOG.take(np.array([2, 0]))
    assert some.reward.tolist() == [3.0, 1.0]
    assert some.customer.tolist() == [8, 7]
    assert concatenate(some, LOG).reward.tolist() == [3.0, 1.0, 1.0, 2.0, 3.0]


def test_orders_go_with_their_decisions_where_rewards_are_made_of_orders():
    told = replace(LOG, orders=np.array([0, 1, 2]))
    assert told.take(np.array([2, 0])).orders.tolist() == [2, 0]
    assert concatenate(told, told.take(told.action == 0)).orders.tolist() == [0, 1, 2, 0]
    assert LOG.take(np.array([0])).orders is None
    assert concatenate(LOG, LOG).orders is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reward": np.array([1.0, np.nan, 2.0])}, "not known yet"),
        ({"reward": np.array([1.0])}, "one row per decision and one column per action"),
        ({"orders": np.array([1, 0])}, "2 counts of orders"),
        ({"logging_propensities": np.full((3, 2), 0.4)}, "sum to 1"),
        ({"logging_propensities": np.array([[0.0, 1.0]] * 3)}, "no logging propensity above 0"),
    ],
)
def test_a_log_that_contradicts_itself_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        replace(LOG, **change)


@pytest.mark.parametrize("names", [["mail", "none"], ["none", "none"], []])
def test_actions_start_with_none_and_are_named_once(names):
    with pytest.raises(InputError, match="'none' first"):
        Actions.of(names)
