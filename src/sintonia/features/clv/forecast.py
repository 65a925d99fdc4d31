"""Far ahead of short histories: the behavioural prior, corrected by what it got wrong earlier in the same past.

Where the horizon is as long as the history, no date has a label to train on. But the past holds a smaller picture of
the task: an earlier date with a shorter horizon that stand to each other as as_of and horizon do. There the prior,
fitted on what was known by then, is compared with what came: whether customers bought, by a logistic regression on
the logarithm of the expected purchases, and what they spent, by a log-linear Tweedie regression on expected purchases
and spend; both also see the items a customer bought, which purchase days do not tell. The corrections are then laid on
the prior of today, which knows all of the past.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Floats
from sintonia.core.errors import NotEnoughDataError
from sintonia.features.clv.prior import BehaviouralPrior, fit_prior
from sintonia.features.clv.repeats import (
    PURCHASE_COLUMNS,
    Repeats,
    concatenate,
    count_repeats,
    read_purchases,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from sintonia.data.store import Store

POWER = 1.5  # of Tweedie's variance, as the amounts of `model.boosting`


@dataclass(frozen=True)
class PastBuyers:
    """What is known at a date of the customers who had bought by then: who, their repeats and items bought."""

    customer_id: "pa.Array"
    repeats: Repeats
    items: Floats


@dataclass(frozen=True)
class HorizonOutcome:
    """What came in the horizon after: whether a customer bought, and cents spent, shaped as the `PastBuyers`."""

    bought: NDArray[np.bool_]
    spend_cents: Floats


@dataclass(frozen=True)
class Forecast:
    """The prior of a date, and its corrections: intercept, then weights of logarithms.

    `purchase` weighs expected purchases and items, `value` these two and the expected spend of a purchase.
    """

    prior: BehaviouralPrior
    purchase: tuple[float, ...]
    value: tuple[float, ...]

    def probability_purchase(self, known: PastBuyers, horizon_days: float) -> Floats:
        """Return each customer's probability of a purchase in (as_of, as_of + horizon_days]."""
        from scipy.special import expit

        return np.asarray(
            expit(_linear_predictor(self.purchase, _log_predictors(self.prior, known, horizon_days)[:, :2]))
        )

    def value_cents(self, known: PastBuyers, horizon_days: float) -> Floats:
        """Return each customer's expected spend in (as_of, as_of + horizon_days]."""
        return np.asarray(
            np.exp(_linear_predictor(self.value, _log_predictors(self.prior, known, horizon_days)))
        )


def mirror_date(data_from: datetime, as_of: datetime, horizon_days: float) -> tuple[datetime, float]:
    """Return the earlier date whose rest of the past is to its history as the horizon is to as_of's, and that rest.

    Examples
    --------
    >>> mirror_date(datetime(1997, 1, 1), datetime(1997, 9, 30), 272)
    (datetime.datetime(1997, 5, 17, 0, 0), 136.0)
    """
    history_days = (as_of - data_from).total_seconds() / 86400
    rest_days = float(round(history_days * horizon_days / (history_days + horizon_days)))
    return as_of - timedelta(days=rest_days), rest_days


def fit_forecast(
    store: "Store", as_of: datetime, horizon_days: float, name: str = "pareto_nbd"
) -> tuple[Forecast, PastBuyers]:
    """Return the forecast of the horizon after as_of, and what is known of the customers it is for.

    Nothing after as_of is read: the corrections are learnt at the `mirror_date` of as_of, of which all came by then.

    Raises
    ------
    NotEnoughDataError
        When too few customers came back or spent anything, at as_of or at its mirror.
    """
    earlier, rest_days = mirror_date(store.data_from(["purchase"]), as_of, horizon_days)
    then, now = read_past_buyers(store, earlier), read_past_buyers(store, as_of)
    came = read_horizon_outcome(store, then, earlier, rest_days, seen_at=as_of)
    logs = _log_predictors(_fit_priced_prior(then, name), then, rest_days)
    return Forecast(
        _fit_priced_prior(now, name), _fit_purchase(logs[:, :2], came), _fit_value(logs, came)
    ), now


def read_past_buyers(store: "Store", as_of: datetime) -> PastBuyers:
    """Return what is known at as_of; a customer that had become part of another by then is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    merges = store.read_merges()
    merged = merges.filter(pc.less_equal(merges["merged_at"], pa.scalar(as_of, pa.timestamp("us"))))
    parts: list[tuple[pa.Array, Repeats, Floats]] = []
    for path in store.buckets:
        table = store.read_bucket(path, columns=(*PURCHASE_COLUMNS, "quantity"))
        ids, purchases = read_purchases(table)
        counted = count_repeats(purchases, len(ids), [as_of])
        quantity = _purchase_column(table, "quantity")
        visible = purchases.visible(_micros(as_of))
        items = np.bincount(purchases.customer[visible], quantity[visible], len(ids))
        is_customer = counted.bought[:, 0] & ~pc.is_in(ids, merged["customer_id"]).to_numpy(
            zero_copy_only=False
        )
        repeats = Repeats(*(values[is_customer, 0] for values in vars(counted).values()))
        parts.append((ids.filter(pa.array(is_customer)), repeats, items[is_customer]))
    return PastBuyers(
        customer_id=pa.concat_arrays([part[0] for part in parts]),
        repeats=concatenate(part[1] for part in parts),
        items=np.concatenate([part[2] for part in parts]),
    )


def read_horizon_outcome(
    store: "Store", known: PastBuyers, as_of: datetime, horizon_days: float, seen_at: datetime | None = None
) -> HorizonOutcome:
    """Return what these customers did in (as_of, as_of + horizon_days]; as visible at `seen_at` where it is given."""
    import pyarrow as pa
    import pyarrow.compute as pc

    start, end = _micros(as_of), _micros(as_of + timedelta(days=horizon_days))
    ids: list[pa.Array] = []
    bought, spent = [], []
    for path in store.buckets:
        table = store.read_bucket(path, columns=PURCHASE_COLUMNS)
        who, purchases = read_purchases(table)
        occurred = _purchase_column(table, "occurred_at")
        rows = (occurred > start) & (occurred <= end)
        rows &= purchases.hold if seen_at is None else purchases.visible(_micros(seen_at))
        ids.append(who)
        bought.append(np.bincount(purchases.customer[rows], minlength=len(who)) > 0)
        spent.append(np.bincount(purchases.customer[rows], purchases.amount[rows], len(who)))
    index = pc.index_in(known.customer_id, pa.concat_arrays(ids)).to_numpy()
    return HorizonOutcome(np.concatenate(bought)[index], np.maximum(np.concatenate(spent)[index], 0.0))


def _fit_priced_prior(known: PastBuyers, name: str) -> BehaviouralPrior:
    """Return the prior of these customers, which must price purchases.

    Raises
    ------
    NotEnoughDataError
        When too few came back, or no repeat purchase has an amount.
    """
    prior = fit_prior(known.repeats, name)
    if prior.spend is None:
        raise NotEnoughDataError("No repeat purchase has an amount; map `amount` in the source.")
    return prior


def _log_predictors(prior: BehaviouralPrior, known: PastBuyers, horizon_days: float) -> Floats:
    """Return logarithms of expected purchases, items + 1 and expected spend a purchase.  # (n_customers, 3)"""
    expected = prior.expect(known.repeats, horizon_days)
    assert expected.spend_per_purchase_cents is not None
    columns = (expected.purchases, np.maximum(known.items, 0.0) + 1.0, expected.spend_per_purchase_cents)
    return np.log(np.maximum(np.stack(columns, axis=1), 1e-9))


def _fit_purchase(logs: Floats, came: HorizonOutcome) -> tuple[float, ...]:
    from sklearn.linear_model import LogisticRegression

    if came.bought.all() or not came.bought.any():
        raise NotEnoughDataError(
            f"Of {len(logs):,} customers all or none came back in the past; give a later date."
        )
    return _fit_weights(LogisticRegression(C=1e3, max_iter=1000), logs, came.bought, 0.0)


def _fit_value(logs: Floats, came: HorizonOutcome) -> tuple[float, ...]:
    """Return the weights of least Tweedie deviance, with the intercept at which amounts add up to the truth."""
    from sklearn.linear_model import TweedieRegressor

    unit = float(came.spend_cents.mean())
    if not unit > 0:
        raise NotEnoughDataError(
            f"None of {len(logs):,} customers spent anything in the past; give a later date."
        )
    regressor = TweedieRegressor(power=POWER, link="log", alpha=1e-4, max_iter=1000)
    weights = _fit_weights(regressor, logs, came.spend_cents / unit, np.log(unit))
    total = np.exp(_linear_predictor(weights, logs)).sum()
    return (weights[0] + float(np.log(came.spend_cents.sum() / total)), *weights[1:])


def _fit_weights(regressor: Any, logs: Floats, target: NDArray[Any], shift: float) -> tuple[float, ...]:  # noqa: ANN401
    """Return intercept and weights of a regression, fitted on standardised columns."""
    centre, scale = logs.mean(axis=0), logs.std(axis=0) + 1e-12
    regressor.fit((logs - centre) / scale, target)
    weights = np.ravel(regressor.coef_) / scale
    intercept = float(np.ravel(regressor.intercept_)[0] - weights @ centre + shift)
    return (intercept, *weights.tolist())


def _linear_predictor(weights: Sequence[float], logs: Floats) -> Floats:
    return np.asarray(weights[0] + logs @ np.array(weights[1:]))


def _purchase_column(table: "pa.Table", column: str) -> NDArray[np.int64]:
    """Return a column at the purchases, in the order of `read_purchases`; a missing number is 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bought = table.filter(pc.equal(table["kind"].cast(pa.string()), "purchase").fill_null(False))[column]
    numbers: NDArray[np.int64] = bought.cast(pa.int64()).fill_null(0).to_numpy()
    return numbers


def _micros(moment: datetime) -> int:
    return int(np.datetime64(moment, "us").astype(np.int64))
