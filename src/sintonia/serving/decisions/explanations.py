"""Why and why not: a decision's factors, what came next and by how much, what would turn it, what was refused."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Floats, Ints
from sintonia.core.config import NONE
from sintonia.serving.decisions.arms import POLICY
from sintonia.serving.decisions.choosing import Case, Chosen
from sintonia.serving.decisions.refusals import Refusals, numbered

ROWS_PER_BLOCK = 1 << 17


@dataclass(frozen=True)
class RunnerUp:
    """By customer: the option that came next (-1: there was none), and by how much in currency, prices taken off."""

    option: Ints
    margin: Floats


def runner_up(chosen: Chosen) -> RunnerUp:
    """Return what came next after each customer's choice, at the prices of what is scarce.

    A margin below nothing says that the better option was no longer to be had.
    """
    n = len(chosen.option)
    option, margin = np.empty(n, np.int64), np.empty(n)
    price = chosen.allocation.prices.of_option
    for first in range(0, n, ROWS_PER_BLOCK):
        rows = slice(first, first + ROWS_PER_BLOCK)
        kept = chosen.worth[rows] - price
        own = chosen.option[rows, np.newaxis]
        won = np.take_along_axis(kept, own, axis=1)[:, 0]
        np.put_along_axis(kept, own, -np.inf, axis=1)
        # Another day of the same action is no other action.
        same = chosen.options.action[np.newaxis] == chosen.options.action[own]
        kept[same] = -np.inf
        option[rows] = kept.argmax(axis=1)
        margin[rows] = won - kept.max(axis=1)
    return RunnerUp(np.where(np.isfinite(margin), option, -1), np.where(np.isfinite(margin), margin, np.nan))


def why_table(case: Case, chosen: Chosen, refusals: Refusals) -> pa.Table:
    """Return a row a customer: the winner's factors, the runner-up, the margin, what would turn it, what was refused.

    Columns: customer_id; action_id; worth, value, effect, lever, cost of the action and price, what
    it uses of scarce things; runner_up, margin and runner_up_effect_needed or runner_up_cheaper_by, either of
    which would turn the decision; `passed`, the checks the action passed; `refused`, what was refused and by what.
    Where the arm is not the policy's, nothing was weighed: margin and what follows from it are null.
    """
    action, rows = chosen.action, np.arange(len(chosen.option))
    second = runner_up(chosen)
    other = np.where(second.option >= 0, chosen.options.action[second.option], 0)
    factors = case.factors
    gain = factors.value * factors.lever[other]
    weighed = (chosen.arm == POLICY) & (second.option >= 0)
    needed = np.where(
        gain > 0, factors.effect[rows, other] + second.margin / np.where(gain > 0, gain, 1), np.nan
    )
    price = chosen.allocation.prices.of_option[chosen.option]
    names = pa.array(chosen.options.actions)
    worth = np.take_along_axis(chosen.worth, chosen.option[:, np.newaxis], axis=1)[:, 0]
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
            "runner_up": names.take(pa.array(other, mask=~weighed)),
            "margin": pa.array(second.margin, mask=~weighed),
            "runner_up_effect_needed": pa.array(needed, mask=~weighed | np.isnan(needed) | (other == 0)),
            "runner_up_cheaper_by": pa.array(second.margin, mask=~weighed | (other == 0)),
            "passed": _passed(refusals, chosen).take(pa.array(action)),
            "refused": refused(refusals, chosen.options.actions),
        }
    )


def refused(refusals: Refusals, actions: tuple[str, ...]) -> pa.Array:
    """Return by customer which actions were refused, each with the checks it failed: 'call: no consent; mail: ...'."""
    number = numbered(refusals.failed.T)
    _, first, place = np.unique(number, return_index=True, return_inverse=True)
    patterns = refusals.failed[first]
    texts = [
        "; ".join(
            f"{action}: {', '.join(check.because for check in refusals.reasons(int(bits)))}"
            for action, bits in zip(actions, row, strict=True)
            if bits
        )
        for row in patterns
    ]
    return pa.DictionaryArray.from_arrays(pa.array(place.astype(np.int32)), pa.array(texts, pa.string()))


def _passed(refusals: Refusals, chosen: Chosen) -> pa.Array:
    """Return by action the names of the checks it is put to."""
    applies = refusals.applies
    named = [
        ", ".join(check.name for check, meant in zip(refusals.checks, applies, strict=True) if meant[action])
        for action in range(len(chosen.options.actions))
    ]
    return pa.array(named, pa.string())


def sentence(row: dict[str, object], currency: str) -> str:
    """Return a row of the table as a sentence, for the list; amounts are in the currency."""
    if row["margin"] is None:
        return "drawn by chance, to learn"
    told = (
        f"worth {row['worth']:.2f} {currency} = {row['value']:.2f} x {row['effect']:.4f} x {row['lever']:.2f}"
        f" - {row['cost']:.2f}"
    )
    if row["runner_up"] == NONE:
        return f"{told}; doing nothing is {row['margin']:.2f} {currency} behind"
    return f"{told}; {row['runner_up']} is {row['margin']:.2f} {currency} behind"
