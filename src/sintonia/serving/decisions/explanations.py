"""Reasons for decisions: factors, runner-up and margin, what would change the decision, refusals."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.arrays import Floats, Ints
from sintonia.core.config import NONE
from sintonia.core.errors import InputError, NotBuiltError, hint
from sintonia.core.intervals import Estimate
from sintonia.data.store import Store
from sintonia.serving.decisions.arms import POLICY
from sintonia.serving.decisions.choosing import Choices, DecisionCase
from sintonia.serving.decisions.eligibility import Refusals
from sintonia.serving.decisions.facts import row_codes

REASONS_FOLDER = "why"
"""The folder, within that of the rounds, of why each decision was taken."""

CUSTOMERS_PER_BLOCK = 1 << 17


@dataclass(frozen=True)
class RunnerUp:
    """By customer: the option that came second (-1: none), and its distance in currency, prices subtracted."""

    option: Ints
    margin: Floats


def runner_up(choices: Choices) -> RunnerUp:
    """Return the second best option of each customer at the prices of what is scarce.

    A negative margin means that the better option was no longer available.
    """
    n = len(choices.option)
    option, margin = np.empty(n, np.int64), np.empty(n)
    price = choices.allocation.prices.of_option
    for first in range(0, n, CUSTOMERS_PER_BLOCK):
        rows = slice(first, first + CUSTOMERS_PER_BLOCK)
        net_worth = choices.worth[rows] - price
        own = choices.option[rows, np.newaxis]
        own_worth = np.take_along_axis(net_worth, own, axis=1)[:, 0]
        np.put_along_axis(net_worth, own, -np.inf, axis=1)
        # The same action on another day is not an alternative.
        same_action = choices.options.action[np.newaxis] == choices.options.action[own]
        net_worth[same_action] = -np.inf
        option[rows] = net_worth.argmax(axis=1)
        margin[rows] = own_worth - net_worth.max(axis=1)
    return RunnerUp(np.where(np.isfinite(margin), option, -1), np.where(np.isfinite(margin), margin, np.nan))


def why_table(case: DecisionCase, choices: Choices, refusals: Refusals) -> pa.Table:
    """Return one row a customer: factors of its action, runner-up, margin, what would change the decision, refusals.

    Columns: customer_id; action_id; worth, value, effect, lever, cost of the action, and price, that of the scarce
    resources it uses; runner_up, margin, and runner_up_effect_needed or runner_up_cheaper_by, either of which would
    change the decision; `passed`, the checks the action passed; `refused`, the refused actions with their reasons. In
    the other arms nothing was compared: margin and what follows from it are null.
    """
    action, rows = choices.action, np.arange(len(choices.option))
    next_best = runner_up(choices)
    second_action = np.where(next_best.option >= 0, choices.options.action[next_best.option], 0)
    factors = case.factors
    gain = factors.value * factors.lever[second_action]
    weighed = (choices.arm == POLICY) & (next_best.option >= 0)
    effect_needed = np.where(
        gain > 0, factors.effect[rows, second_action] + next_best.margin / np.where(gain > 0, gain, 1), np.nan
    )
    price = choices.allocation.prices.of_option[choices.option]
    names = pa.array(choices.options.actions)
    worth = np.take_along_axis(choices.worth, choices.option[:, np.newaxis], axis=1)[:, 0]
    return pa.table(
        {
            "customer_id": case.ids,
            "action_id": names.take(pa.array(action)),
            "worth": worth,
            "value": factors.value.astype(np.float32),
            "effect": factors.effect[rows, action],
            "lever": factors.lever[action],
            "cost": factors.cost[action],
            "price": price,
            "runner_up": names.take(pa.array(second_action, mask=~weighed)),
            "margin": pa.array(next_best.margin, mask=~weighed),
            "runner_up_effect_needed": pa.array(
                effect_needed, mask=~weighed | np.isnan(effect_needed) | (second_action == 0)
            ),
            "runner_up_cheaper_by": pa.array(next_best.margin, mask=~weighed | (second_action == 0)),
            "passed": _passed_checks(refusals, choices).take(pa.array(action)),
            "refused": refused_texts(refusals, choices.options.actions),
        }
    )


def refused_texts(refusals: Refusals, actions: tuple[str, ...]) -> pa.Array:
    """Return by customer the refused actions, each with the checks it failed: 'call: no consent; mail: ...'."""
    codes = row_codes(refusals.failed.T)
    _, first, index = np.unique(codes, return_index=True, return_inverse=True)
    patterns = refusals.failed[first]
    texts = [
        "; ".join(
            f"{action}: {', '.join(check.because for check in refusals.reasons(int(bits)))}"
            for action, bits in zip(actions, row, strict=True)
            if bits
        )
        for row in patterns
    ]
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), pa.array(texts, pa.string()))


def _passed_checks(refusals: Refusals, choices: Choices) -> pa.Array:
    """Return by action the names of the checks that apply to it."""
    applies = refusals.applies
    names = [
        ", ".join(check.name for check, meant in zip(refusals.checks, applies, strict=True) if meant[action])
        for action in range(len(choices.options.actions))
    ]
    return pa.array(names, pa.string())


def reason_sentence(row: dict[str, object], currency: str) -> str:
    """Return a row of the table as a sentence, for the list; amounts are in the currency."""
    if row["margin"] is None:
        return "drawn by chance, to learn"
    worth = (
        f"worth {row['worth']:.2f} {currency} = {row['value']:.2f} x {row['effect']:.4f} x {row['lever']:.2f}"
        f" - {row['cost']:.2f}"
    )
    if row["runner_up"] == NONE:
        return f"{worth}; doing nothing is {row['margin']:.2f} {currency} behind"
    return f"{worth}; {row['runner_up']} is {row['margin']:.2f} {currency} behind"


DECISION_COLUMNS = ("arm", "channel", "decided_at", "sent_at")


def explain_decision(store: Store, customer: str, round_id: str | None) -> dict[str, Any]:
    """Return a customer's row of a round's reasons, by default the newest round's, with arm, channel and times.

    Raises
    ------
    NotBuiltError
        When there is no round of that name.
    InputError
        When the round has no decision for the customer.
    """
    names = {path.stem: path for path in store.rounds.glob("*.parquet")}
    newest = max(names, key=lambda name: (names[name].stat().st_mtime_ns, name), default=None)
    name = round_id or newest
    if name not in names:
        raise NotBuiltError(f"No round '{name}' in '{store.rounds}'; {hint(str(name), names)}")
    merges = store.read_merges()
    merged_into = dict(zip(merges["customer_id"].to_pylist(), merges["merged_into"].to_pylist(), strict=True))
    ids = {customer, merged_into.get(customer, customer)}
    rows, reasons = (
        pq.read_table(names[name]),
        pq.read_table(store.rounds / REASONS_FOLDER / f"{name}.parquet"),
    )
    of_customer = [
        table.filter(pc.is_in(table["customer_id"], pc.cast(sorted(ids), "string")))
        for table in (rows, reasons)
    ]
    if not of_customer[0].num_rows:
        raise InputError(
            f"Round '{name}' has no decision for a customer '{customer}'; give an id of the store."
        )
    (decided, *_), reason_rows = of_customer[0].to_pylist(), of_customer[1].to_pylist()
    # Columns of rounds decided by earlier versions have the suffix `_eur`.
    why = {key.removesuffix("_eur"): value for key, value in reason_rows[0].items()} if reason_rows else {}
    return {
        **why,
        **{key: decided[key] for key in ("round_id", "customer_id", "action_id", *DECISION_COLUMNS)},
    }


def explanation_lines(row: dict[str, Any], currency: str) -> list[str]:
    """Return the row as lines of text; amounts are in the currency."""
    lines = [f"Round {row['round_id']}, customer {row['customer_id']}, arm {row['arm']}: {row['action_id']}"]
    if row.get("send_at_local"):
        lines.append(
            f"  on {row['channel']}, at {row['send_at_local']:%Y-%m-%d %H:%M} in the customer's time zone"
        )
    if row["sent_at"]:
        lines.append(f"  sent {row['sent_at']:%Y-%m-%d %H:%M} UTC")
    if row["action_id"] != NONE and "worth" in row:
        lines.append(
            f"  worth {row['worth']:.2f} {currency} = value {row['value']:.2f} x effect {_effect_text(row)} x lever "
            f"{row['lever']:.2f} - cost {row['cost']:.2f}; its limits cost {row['price']:.2f} {currency} at shadow "
            "prices"
        )
    if row.get("runner_up"):
        lines.append(
            f"  next best: {row['runner_up']}, {row['margin']:.2f} {currency} behind at these shadow prices"
        )
    if row.get("runner_up_effect_needed") is not None:
        lines.append(
            f"    it would have won with an effect of {row['runner_up_effect_needed']:.4f}, "
            f"or {row['runner_up_cheaper_by']:.2f} {currency} cheaper"
        )
    if row.get("passed"):
        lines.append(f"  passed: {row['passed']}")
    return lines + [f"  refused {refusal}" for refusal in (row.get("refused") or "").split("; ") if refusal]


def _effect_text(row: dict[str, Any]) -> str:
    """Return the effect with its 95 % interval, where the round recorded one.

    Examples
    --------
    >>> _effect_text({"effect": 5.0, "effect_low": 3.25, "effect_high": 6.75})
    '5.0000 [3.2500, 6.7500]'
    """
    if row.get("effect_low") is None:
        return f"{row['effect']:.4f}"
    return Estimate(row["effect"], row["effect_low"], row["effect_high"]).text(digits=4)
