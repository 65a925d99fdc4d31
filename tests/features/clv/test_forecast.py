"""Far ahead of a short history: what was wrong earlier in the past is put right now, and nothing later is read."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from builder import build_store
from sintonia.core.config import SiloConfig
from sintonia.core.errors import NotEnoughDataError
from sintonia.data.store import Store
from sintonia.features.clv.forecast import fit_forecast, mirror_date, read_horizon_outcome, read_past_buyers

START, AS_OF = datetime(2025, 1, 1), datetime(2025, 7, 20)
DAYS = 300


def build(folder, amount: str = "price", changed: bool = False) -> Store:
    """A shop's customers: pace differs; who fills a basket stays, the others may stop any time."""
    rng = np.random.default_rng(8)
    lines = ["card,at,items,price"]
    for card in range(900):
        big = card % 2
        at, pace = float(rng.integers(0, 30)), rng.gamma(2.0, 20.0) + 2
        while at < DAYS:
            moment = START + timedelta(days=int(at))
            late = changed and moment > AS_OF
            price = round(float(rng.gamma(4.0, 5.0)), 2)
            if not (late and card % 3):
                lines.append(f"{card:04d},{moment:%Y-%m-%d},{1 + 4 * big},{999 if late else price}")
            at += rng.exponential(pace)
            if rng.random() < 0.3 * (1 - big):
                break
    (folder / "tickets.csv").write_text("\n".join(lines) + "\n")
    reads = {"quantity": "items", "amount": amount}
    silo = SiloConfig(
        path="tickets.csv",
        identifiers={"card": "card"},
        occurred_at="at",
        interactions=reads,
        constants={"kind": "purchase", "channel": "web"},
    )
    return build_store(folder, {"tickets": silo})


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return build(tmp_path_factory.mktemp("shop"))


def test_the_mirror_stands_to_its_history_as_the_horizon_to_all_of_it():
    assert mirror_date(START, START + timedelta(days=100), 100) == (START + timedelta(days=50), 50.0)
    assert mirror_date(START, START + timedelta(days=90), 30) == (START + timedelta(days=68), 22.0)


def test_what_is_known_and_what_came_are_counted_by_hand(tmp_path):
    (tmp_path / "tickets.csv").write_text(
        "card,at,items,price\n1,2025-01-01,2,10\n1,2025-01-05,1,20\n1,2025-01-11,3,5\n2,2025-01-12,9,1\n"
        "3,2025-01-02,4,7\n"
    )
    silo = SiloConfig(
        path="tickets.csv",
        identifiers={"card": "card"},
        occurred_at="at",
        interactions={"quantity": "items", "amount": "price"},
        constants={"kind": "purchase", "channel": "web"},
    )
    toy = build_store(tmp_path, {"tickets": silo})
    known = read_past_buyers(toy, datetime(2025, 1, 10))
    came = read_horizon_outcome(toy, known, datetime(2025, 1, 10), 5)
    table = sorted(
        zip(known.items.tolist(), known.repeats.frequency.tolist(), came.bought.tolist(), strict=True)
    )
    assert table == [(3.0, 1.0, True), (4.0, 0.0, False)]
    assert came.spend_cents.sum() == 500
    unseen = read_horizon_outcome(toy, known, datetime(2025, 1, 10), 5, seen_at=datetime(2025, 1, 10))
    assert not unseen.bought.any()


def test_corrections_find_what_the_prior_does_not_know(store):
    forecast, known = fit_forecast(store, AS_OF, 90)
    assert forecast.purchase[2] > 0.2  # full baskets come back
    came = read_horizon_outcome(store, known, AS_OF, 90)
    prior = forecast.prior.expect(known.repeats, 90)
    corrected = forecast.probability_purchase(known, 90)
    assert np.mean((corrected - came.bought) ** 2) < np.mean((prior.probability_purchase - came.bought) ** 2)
    assert forecast.value_cents(known, 90).sum() == pytest.approx(came.spend_cents.sum(), rel=0.2)


def test_nothing_after_as_of_moves_the_forecast(store, tmp_path):
    """Law 1, for the corrections too."""
    one, _ = fit_forecast(store, AS_OF, 90)
    other, _ = fit_forecast(build(tmp_path, changed=True), AS_OF, 90)
    assert (one.purchase, one.value) == (other.purchase, other.value)
    assert one.prior.as_json() == other.prior.as_json()


def test_purchases_without_amounts_are_refused(tmp_path):
    with pytest.raises(NotEnoughDataError, match="No repeat purchase has an amount"):
        fit_forecast(build(tmp_path, amount="NULL"), AS_OF, 90)
