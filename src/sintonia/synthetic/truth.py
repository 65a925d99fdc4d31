"""The truth, for tests and evaluation alone: identities, traits, and the expected outcome of each action.

The reward of a decision is the margin of what the person is recorded to buy (under an account or a card) in the
28 days from `decided_at`: amount - 0.5 x (amount + discount) summed over purchases and returns, in cents, for
goods cost the brand half their list price. The cost of the action is not included.
"""

from dataclasses import fields

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Bools, Floats, Ints, Texts
from sintonia.synthetic import actions
from sintonia.synthetic.arrays import object_array
from sintonia.synthetic.calendar import EFFECT_WEEKS, ROUND_WEEKS
from sintonia.synthetic.journeys import (
    RETURN_RATE,
    SALE_DISCOUNTS,
    Journeys,
    SimulatedRound,
    complaint_factor,
    complaint_rate,
    next_open_share,
    sale_probability,
)
from sintonia.synthetic.people import SyntheticPeople
from sintonia.synthetic.world import World

MARGIN = 0.5
"""Gross margin, as a share of the list price."""


def person_ids(numbers: Ints) -> Texts:
    """Return the ids of registered people; those of anonymous visitors begin with S."""
    return object_array([f"P{number:08d}" for number in numbers.tolist()])


def record_table(world: World, owners: list[dict[str, tuple[Texts, Ints]]]) -> pa.Table:
    """Return one row per identifier: source (its type), source_key (e-mails in lower case), person_id.

    An identifier in several silos, or shared in a household, belongs to the first owner.
    """
    owned_keys = [(kind, *pair) for silo in owners for kind, pair in silo.items()]
    owner = np.concatenate([whose for _, _, whose in owned_keys])
    registered = person_ids(world.people.number[np.maximum(owner, 0)])
    anonymous = object_array([f"S{world.block:05d}-{-index:06d}" for index in owner.tolist()])
    columns = {
        "source": object_array([kind for kind, keys, _ in owned_keys for _ in keys]),
        "source_key": np.concatenate([keys for _, keys, _ in owned_keys]),
        "person_id": np.where(owner >= 0, registered, anonymous),
    }
    first_owner = ~pd.DataFrame(columns).duplicated(["source", "source_key"]).to_numpy()
    return pa.table({name: pa.array(values[first_owner], pa.string()) for name, values in columns.items()})


def people_table(world: World) -> pa.Table:
    """Return one row per registered person: person_id and the latent traits of `SyntheticPeople`."""
    people = world.people
    columns: dict[str, Texts] = {"person_id": person_ids(people.number)}
    for field in fields(SyntheticPeople):
        values = getattr(people, field.name)
        if values.ndim == 1 and field.name != "number":
            columns[field.name] = values
    return pa.table(columns)


def outcome_table(world: World) -> pa.Table:
    """Return one row per (person_id, round, action): its expected outcome, all other rounds unchanged.

    Columns: person_id; round_id ('final' for the end of history); decided_at (UTC); action_id; eligible;
    taken; expected_reward and expected_spend (cents, in [decided_at, decided_at + 28 days)); cost of the
    action (cents, not subtracted from the reward). Expectations are conditional on the latent traits and the state at
    decided_at.
    """
    journeys, calendar = world.journeys, world.calendar
    rounds = [*journeys.rounds, journeys.final]
    decided_at = [
        *calendar.week_start(
            np.array([decision_round.week for decision_round in journeys.rounds], dtype=np.int64)
        ),
        calendar.end,
    ]
    names = [*(f"round-{decision_round.week:03d}" for decision_round in journeys.rounds), "final"]
    parts = []
    for index, (decision_round, decided, name) in enumerate(zip(rounds, decided_at, names, strict=True)):
        next_round = rounds[index + 1] if index + 1 < len(journeys.rounds) else None
        parts.append(
            _round_outcomes(
                world, decision_round, decided, name, expected_outcomes(world, decision_round, next_round)
            )
        )
    return pa.concat_tables(parts)


def expected_outcomes(
    world: World, decision_round: SimulatedRound, next_round: SimulatedRound | None
) -> tuple[Floats, Floats]:
    """Return expected reward and spend in cents under each action of a round, (n, actions) each.

    Orders arrive at interest x complaint factor x (1 + lifts), where the lift of the evaluated action replaces that of
    the action taken; a coupon lowers the price of the orders that use it.
    """
    people, interest, journeys = world.people, world.journeys.interest, world.journeys
    weeks = slice(decision_round.week, decision_round.week + EFFECT_WEEKS)
    web = interest.web_share[:, weeks]
    identified = interest.orders[:, weeks] * (web + (1 - web) * people.card_use[:, None])  # (n, 4)
    own_lift = decision_round.lifts[np.arange(len(people)), decision_round.action]
    other_lifts = journeys.lift[:, weeks] - own_lift[:, None] * actions.DECAY
    value = people.order_value[:, None]
    sale_discount = (sale_probability(people) * SALE_DISCOUNTS.mean())[:, None]
    reward, spend = np.zeros_like(decision_round.lifts), np.zeros_like(decision_round.lifts)
    for number in range(len(actions.ACTIONS)):
        discount = sale_discount + _live_coupons(journeys, decision_round, number) * _coupon_discount(people)
        lift = other_lifts + decision_round.lifts[:, [number]] * actions.DECAY
        orders = (
            identified
            * complaint_factor(_open_complaint_shares(people, decision_round, number, next_round))
            * (1 + lift)
        )
        list_value = orders * value
        paid_share = (1 - discount) * (1 - RETURN_RATE)
        spend[:, number] = (list_value * paid_share).sum(axis=1)
        reward[:, number] = (list_value * (MARGIN - discount - MARGIN * RETURN_RATE * (1 - discount))).sum(
            axis=1
        )
    return reward, spend


def _coupon_discount(people: SyntheticPeople) -> Floats:
    share: Floats = (actions.coupon_probability(people) * actions.COUPON_RATE)[:, None]
    return share


def _live_coupons(journeys: Journeys, decision_round: SimulatedRound, number: int) -> Bools:
    """Return in which of the four weeks a coupon is valid, (n, 4), under this action."""
    live = journeys.coupon[:, decision_round.week : decision_round.week + EFFECT_WEEKS].copy()
    until_next_round = live[:, : actions.COUPON_WEEKS]
    if decision_round is not journeys.final:
        until_next_round[:] = False  # these coupons come from the action taken
    until_next_round |= actions.IS_COUPON[number]
    return live


def _open_complaint_shares(
    people: SyntheticPeople, decision_round: SimulatedRound, number: int, next_round: SimulatedRound | None
) -> Floats:
    """Return the probability that a complaint is open in each of the four weeks, (n, 4)."""
    resolved = actions.CALL_RESOLVES if number == actions.CARE_CALL else 0.0
    share = decision_round.complaint.astype(np.float64) * (1 - resolved)
    rate = complaint_rate(people)
    shares = [share]
    for ahead in range(1, EFFECT_WEEKS):
        share = next_open_share(share, rate)
        if next_round is not None and ahead == ROUND_WEEKS:
            share = share * (1 - actions.CALL_RESOLVES * (next_round.action == actions.CARE_CALL))
        shares.append(share)
    return np.column_stack(shares)


def _round_outcomes(
    world: World,
    decision_round: SimulatedRound,
    decided: np.datetime64,
    name: str,
    money: tuple[Floats, Floats],
) -> pa.Table:
    participants = np.flatnonzero(decision_round.decided)
    shape = (len(participants), len(actions.ACTIONS))
    reward, spend = (values[participants].ravel() for values in money)
    action = np.broadcast_to(np.arange(shape[1]), shape).ravel()
    person = pa.DictionaryArray.from_arrays(
        np.repeat(np.arange(shape[0], dtype=np.int32), shape[1]),
        pa.array(person_ids(world.people.number[participants])),
    )
    return pa.table(
        {
            "person_id": person.cast(pa.string()),
            "round_id": pa.array([name]).take(pa.array(np.zeros(len(action), dtype=np.int32))),
            "decided_at": pa.array(np.full(len(action), decided), pa.timestamp("us")),
            "action_id": pa.array(actions.IDS).take(pa.array(action)),
            "eligible": decision_round.allowed[participants].ravel(),
            "taken": (action.reshape(shape) == decision_round.action[participants][:, None]).ravel(),
            "expected_reward": reward.astype(np.float32),
            "expected_spend": spend.astype(np.float32),
            "cost": actions.COSTS[action],
        }
    )
