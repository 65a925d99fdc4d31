"""The slow way to the same features: plain pandas, one filter and a few pivots a snapshot.

It shares no code with the kernel, its definitions or its catalogue: it reads column names, and says again in
pandas what each of them should hold.
"""

from itertools import pairwise

import numpy as np
import pandas as pd

from sintonia.core.schema import CHANNELS, KINDS

DAY = pd.Timedelta(days=1)


def reference(interactions: pd.DataFrame, as_ofs, windows_days, families) -> pd.DataFrame:
    """Return one row per (customer_id, as_of) with every feature as float32."""
    frame = interactions.assign(opens_thread=interactions["opens_thread"].fillna(False).astype(bool))
    makers = {"plain": _plain, "rfm": _rfm, "channel_mix": _channel_mix, "kinds": _kinds}
    snapshots = []
    for as_of in sorted(as_ofs):
        visible = frame[(frame["occurred_at"] <= as_of) & (frame["known_at"] <= as_of)]
        customers = pd.Index(sorted(visible["customer_id"].unique()), name="customer_id")
        made = {}
        for family in families:
            made |= makers[family](visible, customers, as_of, sorted(windows_days))
        features = pd.DataFrame(made, index=customers).astype("float32").reset_index()
        features.insert(1, "as_of", pd.Timestamp(as_of))
        snapshots.append(features)
    together = pd.concat(snapshots, ignore_index=True)
    return together.sort_values(["customer_id", "as_of"], ignore_index=True)


def _window(visible, as_of, days):
    return visible[visible["occurred_at"] > as_of - days * DAY]


def _per_customer(rows, customers, column=None):
    grouped = rows.groupby("customer_id")
    sums = grouped.size() if column is None else grouped[column].sum()
    return sums.reindex(customers, fill_value=0)


def _counts(rows, customers, column, values):
    pivot = rows.groupby(["customer_id", column], observed=True).size().unstack(fill_value=0)
    return pivot.reindex(index=customers, columns=list(values), fill_value=0)


def _days_since(rows, customers, as_of, how):
    times = rows.groupby("customer_id")["occurred_at"].agg(how).reindex(customers)
    return (as_of - times) / DAY


def _over(top, base):
    return top / base.astype("float64").where(base != 0)


def _plain(visible, customers, as_of, windows_days):
    """Counts per channel and kind, and purchase sums: what the benchmark is about."""
    made = {}
    for days in windows_days:
        inside = _window(visible, as_of, days)
        bought = inside[inside["kind"] == "purchase"]
        for family, column, values in (("channel_mix", "channel", CHANNELS), ("kinds", "kind", KINDS)):
            counts = _counts(inside, customers, column, values)
            made |= {f"{family}__{value}__{days}d": counts[value] for value in values}
        made[f"rfm__orders__{days}d"] = _per_customer(bought[bought["opens_thread"]], customers)
        made[f"rfm__items__{days}d"] = _per_customer(bought, customers, "quantity")
        made[f"rfm__amount__{days}d"] = _per_customer(bought, customers, "amount")
    return made


def _rfm(visible, customers, as_of, windows_days):
    made, orders = {}, {}
    for days in windows_days:
        bought = _window(visible[visible["kind"] == "purchase"], as_of, days)
        orders[days] = _per_customer(bought[bought["opens_thread"]], customers)
        amount, discount = (_per_customer(bought, customers, name) for name in ("amount", "discount"))
        made[f"rfm__orders__{days}d"] = orders[days]
        made[f"rfm__items__{days}d"] = _per_customer(bought, customers, "quantity")
        made[f"rfm__amount__{days}d"] = amount
        made[f"rfm__order_value__{days}d"] = _over(amount, orders[days])
        made[f"rfm__discount_share__{days}d"] = _over(discount, amount + discount)
    for short, long in pairwise(windows_days):
        made[f"rfm__pace_to_{long}d__{short}d"] = _over(orders[short] * (long / short), orders[long])
    ordered = visible[(visible["kind"] == "purchase") & visible["opens_thread"]]
    first, last = (_days_since(ordered, customers, as_of, how) for how in ("min", "max"))
    times = ordered.sort_values("occurred_at").groupby("customer_id")["occurred_at"]
    before = (as_of - times.nth(-2).set_axis(ordered.loc[times.nth(-2).index, "customer_id"])) / DAY
    ever = _per_customer(ordered, customers)
    mean_gap = _over(first - last, (ever - 1).clip(lower=0))
    return made | {
        "rfm__days_since_purchase": last,
        "rfm__days_since_first_purchase": first,
        "rfm__last_gap": before.reindex(customers) - last,
        "rfm__mean_gap": mean_gap,
        "rfm__recency_to_mean_gap": _over(last, mean_gap),
    }


def _channel_mix(visible, customers, as_of, windows_days):
    made = {}
    for days in windows_days:
        inside = _window(visible, as_of, days)
        counts, every = _counts(inside, customers, "channel", CHANNELS), _per_customer(inside, customers)
        for channel in CHANNELS:
            made[f"channel_mix__{channel}__{days}d"] = counts[channel]
            made[f"channel_mix__{channel}_share__{days}d"] = _over(counts[channel], every)
        made[f"channel_mix__channels__{days}d"] = (counts > 0).sum(axis=1)
        made[f"channel_mix__entropy__{days}d"] = _entropy(counts)
    for channel in CHANNELS:
        rows = visible[visible["channel"] == channel]
        made[f"channel_mix__days_since_{channel}"] = _days_since(rows, customers, as_of, "max")
    grouped = visible.groupby("customer_id")["channel"]
    for which, place in (("first", 0), ("last", -1)):
        found = grouped.apply(lambda channels, at=place: channels.iloc[at]).reindex(customers)
        for channel in CHANNELS:
            came = (found == channel).astype("float64").where(found.notna())
            made[f"channel_mix__{which}_by_{channel}"] = came
    return made


def _entropy(counts):
    total, spread = np.zeros(len(counts)), np.zeros(len(counts))
    for name in counts:
        count = counts[name].to_numpy()
        total, spread = total + count, spread + count * np.log2(np.maximum(count, 1))
    with np.errstate(invalid="ignore"):
        return np.maximum(np.log2(np.maximum(total, 1)) - spread / np.where(total > 0, total, np.nan), 0)


def _kinds(visible, customers, as_of, windows_days):
    made = {}
    for days in windows_days:
        counts = _counts(_window(visible, as_of, days), customers, "kind", KINDS)
        made |= {f"kinds__{kind}__{days}d": counts[kind] for kind in KINDS}
    for kind in [kind for kind in KINDS if kind != "purchase"]:
        rows = visible[visible["kind"] == kind]
        made[f"kinds__days_since_{kind}"] = _days_since(rows, customers, as_of, "max")
    return made


def same(ours, theirs) -> None:
    """Fail unless two feature tables hold the same bytes of numbers, NaN alike."""
    assert list(ours.columns) == list(theirs.columns)
    for name in ours.columns:
        mine, other = ours[name].to_numpy(), theirs[name].to_numpy()
        equal = np.array_equal(mine, other, equal_nan=mine.dtype.kind == "f")
        assert equal, f"{name}: {mine[:5]} against {other[:5]}"
