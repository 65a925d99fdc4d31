"""Why one customer got what it got in a round that was decided, read from what the round left."""

from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.config import NONE
from sintonia.core.errors import InputError, NotBuiltError, hint
from sintonia.core.intervals import Estimate
from sintonia.data.store import Store
from sintonia.serving.decisions.rounds import REASONS_FOLDER

DECIDED = ("arm", "channel", "decided_at", "sent_at")


def told_of(store: Store, customer: str, round_id: str | None) -> dict[str, Any]:
    """Return a customer's row of the reasons of a round, the newest when none is named, with arm, channel and times.

    Raises
    ------
    NotBuiltError
        When no round of that name was decided.
    InputError
        When the round did not decide on the customer.
    """
    names = {path.stem: path for path in store.rounds.glob("*.parquet")}
    newest = max(names, key=lambda name: (names[name].stat().st_mtime_ns, name), default=None)
    name = round_id or newest
    if name not in names:
        raise NotBuiltError(f"No round '{name}' was decided in '{store.rounds}'; {hint(str(name), names)}")
    merges = store.read_merges()
    now = dict(zip(merges["customer_id"].to_pylist(), merges["merged_into"].to_pylist(), strict=True))
    asked = {customer, now.get(customer, customer)}
    rows, reasons = (
        pq.read_table(names[name]),
        pq.read_table(store.rounds / REASONS_FOLDER / f"{name}.parquet"),
    )
    of = [
        one.filter(pc.is_in(one["customer_id"], pc.cast(sorted(asked), "string"))) for one in (rows, reasons)
    ]
    if not of[0].num_rows:
        raise InputError(
            f"Round '{name}' decided nothing on a customer '{customer}'; give an id of the store."
        )
    (decided, *_), told = of[0].to_pylist(), of[1].to_pylist()
    # Rounds decided before columns lost the suffix of their currency are read as well.
    why = {key.removesuffix("_eur"): value for key, value in told[0].items()} if told else {}
    return {**why, **{key: decided[key] for key in ("round_id", "customer_id", "action_id", *DECIDED)}}


def lines_of(row: dict[str, Any], currency: str) -> list[str]:
    """Return the row as lines of text; amounts are in the currency."""
    lines = [f"Round {row['round_id']}, customer {row['customer_id']}, arm {row['arm']}: {row['action_id']}"]
    if row.get("send_at_local"):
        lines.append(
            f"  on {row['channel']}, at {row['send_at_local']:%Y-%m-%d %H:%M} by the customer's clock"
        )
    if row["sent_at"]:
        lines.append(f"  sent {row['sent_at']:%Y-%m-%d %H:%M} UTC")
    if row["action_id"] != NONE and "worth" in row:
        lines.append(
            f"  worth {row['worth']:.2f} {currency} = value {row['value']:.2f} x effect {_effect(row)} x lever "
            f"{row['lever']:.2f} - cost {row['cost']:.2f}; it takes {row['price']:.2f} {currency} of what is scarce"
        )
    if row.get("runner_up"):
        lines.append(
            f"  next best: {row['runner_up']}, {row['margin']:.2f} {currency} behind at these prices"
        )
    if row.get("runner_up_effect_needed") is not None:
        lines.append(
            f"    it would have won with an effect of {row['runner_up_effect_needed']:.4f}, "
            f"or {row['runner_up_cheaper_by']:.2f} {currency} cheaper"
        )
    if row.get("passed"):
        lines.append(f"  passed: {row['passed']}")
    return lines + [f"  refused {one}" for one in (row.get("refused") or "").split("; ") if one]


def _effect(row: dict[str, Any]) -> str:
    """Return the effect with its 95 % interval, where the round has kept one.

    Examples
    --------
    >>> _effect({"effect": 5.0, "effect_low": 3.25, "effect_high": 6.75})
    '5.0000 [3.2500, 6.7500]'
    """
    if row.get("effect_low") is None:
        return f"{row['effect']:.4f}"
    return Estimate(row["effect"], row["effect_low"], row["effect_high"]).text(digits=4)
