"""The truth, for tests and evaluation alone: who is who, their traits, and what each action would bring.

The reward of a decision is the margin of what the person is seen to buy (under an account or a card) in the
28 days from `decided_at`: amount - 0.5 x (amount + discount) summed over purchases and returns, in cents, for
goods cost the brand half their list price. The cost of the action itself stands apart.
"""

from dataclasses import fields

import numpy as np
import pandas as pd
import pyarrow as pa

from sintonia.core.arrays import Bools, Floats, Ints, Texts
from sintonia.synthetic import actions
from sintonia.synthetic.arrays import objects
from sintonia.synthetic.clock import EFFECT_WEEKS, ROUND_WEEKS
from sintonia.synthetic.journeys import Journeys, SimulatedRound, complaint_rate, next_open_share, trust
from sintonia.synthetic.orders import PROMOTIONS, RETURN_RATE, promotion_odds
from sintonia.synthetic.people import SyntheticPeople
from sintonia.synthetic.world import World

MARGIN = 0.5
"""Share of the list price that is left after the goods are paid."""


def person_ids(numbers: Ints) -> Texts:
    """Return the ids of people; strangers have a sign of their own."""
    return objects([f"P{number:08d}" for number in numbers.tolist()])


def records(world: World, owners: list[dict[str, tuple[Texts, Ints]]]) -> pa.Table:
    """Return one row per identifier: source (its type), source_key (e-mails in lower case), person_id.

    What several silos know, and a household shares, belongs to whom the first of them names.
    """
    owned = [(kind, *pair) for silo in owners for kind, pair in silo.items()]
    owner = np.concatenate([whose for _, _, whose in owned])
    registered = person_ids(world.people.number[np.maximum(owner, 0)])
    stranger = objects([f"S{world.block:05d}-{-place:06d}" for place in owner.tolist()])
    known = {
        "source": objects([kind for kind, keys, _ in owned for _ in keys]),
        "source_key": np.concatenate([keys for _, keys, _ in owned]),
        "person_id": np.where(owner >= 0, registered, stranger),
    }
    first = ~pd.DataFrame(known).duplicated(["source", "source_key"]).to_numpy()
    return pa.table({name: pa.array(values[first], pa.string()) for name, values in known.items()})


def people_table(world: World) -> pa.Table:
    """Return one row per registered person: person_id and the latent traits of `SyntheticPeople`."""
    people = world.people
    columns: dict[str, Texts] = {"person_id": person_ids(people.number)}
    for field in fields(SyntheticPeople):
        values = getattr(people, field.name)
        if values.ndim == 1 and field.name != "number":
            columns[field.name] = values
    return pa.table(columns)


def outcomes(world: World) -> pa.Table:
    """Return one row per (person_id, round, action): what it would bring, other rounds being as they were.

    Columns: person_id; round_id ('final' for the end of history); decided_at (UTC); action_id; eligible;
    taken; expected_reward and expected_spend (cents, in [decided_at, decided_at + 28 days)); cost of the
    action (cents, not taken off the reward). Expectations are over what chance has not yet decided at
    decided_at, given the latent traits and state.
    """
    journeys, calendar = world.journeys, world.calendar
    rounds = [*journeys.rounds, journeys.final]
    begins = [
        *calendar.week_start(np.array([one.week for one in journeys.rounds], dtype=np.int64)),
        calendar.end,
    ]
    names = [*(f"round-{one.week:03d}" for one in journeys.rounds), "final"]
    parts = []
    for place, (one, begin, name) in enumerate(zip(rounds, begins, names, strict=True)):
        after = rounds[place + 1] if place + 1 < len(journeys.rounds) else None
        parts.append(_round_table(world, one, begin, name, expected(world, one, after)))
    return pa.concat_tables(parts)


def expected(world: World, one: SimulatedRound, after: SimulatedRound | None) -> tuple[Floats, Floats]:
    """Return expected reward and spend in cents under each action of a round, (n, actions) each.

    Orders come at drift x trust x (1 + lifts in flight), where the lift of the action taken gives way to that
    of the action asked about; a coupon takes its share off the list price of the orders that use it.
    """
    people, drift, journeys = world.people, world.journeys.drift, world.journeys
    weeks = slice(one.week, one.week + EFFECT_WEEKS)
    web = drift.web_share[:, weeks]
    seen = drift.orders[:, weeks] * (web + (1 - web) * people.card_use[:, None])  # (n, 4)
    own = one.lifts[np.arange(len(people)), one.action]
    others = journeys.lift[:, weeks] - own[:, None] * actions.FADING
    value = people.order_value[:, None]
    sale = (promotion_odds(people) * PROMOTIONS.mean())[:, None]
    reward, spend = np.zeros_like(one.lifts), np.zeros_like(one.lifts)
    for number in range(len(actions.ACTIONS)):
        off = sale + _coupons(journeys, one, number) * _coupon_share(people)
        lift = others + one.lifts[:, [number]] * actions.FADING
        orders = seen * trust(_open_shares(people, one, number, after)) * (1 + lift)
        full = orders * value
        kept = (1 - off) * (1 - RETURN_RATE)
        spend[:, number] = (full * kept).sum(axis=1)
        reward[:, number] = (full * (MARGIN - off - MARGIN * RETURN_RATE * (1 - off))).sum(axis=1)
    return reward, spend


def _coupon_share(people: SyntheticPeople) -> Floats:
    share: Floats = (actions.coupon_use(people) * actions.COUPON_RATE)[:, None]
    return share


def _coupons(journeys: Journeys, one: SimulatedRound, number: int) -> Bools:
    """Return in which of the four weeks a coupon is live, (n, 4), had the action been this one."""
    live = journeys.coupon[:, one.week : one.week + EFFECT_WEEKS].copy()
    first = live[:, : actions.COUPON_WEEKS]
    if one is not journeys.final:
        first[:] = False  # these coupons are those of the action taken
    first |= actions.IS_COUPON[number]
    return live


def _open_shares(
    people: SyntheticPeople, one: SimulatedRound, number: int, after: SimulatedRound | None
) -> Floats:
    """Return the probability that a complaint is open in each of the four weeks, (n, 4)."""
    mended = actions.MENDS if number == actions.CARE_CALL else 0.0
    share = one.complaint.astype(np.float64) * (1 - mended)
    rate = complaint_rate(people)
    shares = [share]
    for ahead in range(1, EFFECT_WEEKS):
        share = next_open_share(share, rate)
        if after is not None and ahead == ROUND_WEEKS:
            share = share * (1 - actions.MENDS * (after.action == actions.CARE_CALL))
        shares.append(share)
    return np.column_stack(shares)


def _round_table(
    world: World, one: SimulatedRound, begin: np.datetime64, name: str, money: tuple[Floats, Floats]
) -> pa.Table:
    who = np.flatnonzero(one.decided)
    shape = (len(who), len(actions.ACTIONS))
    reward, spend = (values[who].ravel() for values in money)
    action = np.broadcast_to(np.arange(shape[1]), shape).ravel()
    person = pa.DictionaryArray.from_arrays(
        np.repeat(np.arange(shape[0], dtype=np.int32), shape[1]),
        pa.array(person_ids(world.people.number[who])),
    )
    return pa.table(
        {
            "person_id": person.cast(pa.string()),
            "round_id": pa.array([name]).take(pa.array(np.zeros(len(action), dtype=np.int32))),
            "decided_at": pa.array(np.full(len(action), begin), pa.timestamp("us")),
            "action_id": pa.array(actions.IDS).take(pa.array(action)),
            "eligible": one.allowed[who].ravel(),
            "taken": (action.reshape(shape) == one.action[who][:, None]).ravel(),
            "expected_reward": reward.astype(np.float32),
            "expected_spend": spend.astype(np.float32),
            "cost": actions.COSTS[action],
        }
    )
