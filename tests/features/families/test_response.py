"""How a customer answers, worked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from features.rows import FITTED, day, row, table
from sintonia.core.config import FeaturesConfig
from sintonia.features import compute, feature_names
from sintonia.features.fitting import fit_tables

CONFIG = FeaturesConfig(families=["response"], windows_days=[7, 30])


def message(at, kind="send", thread="m1", action="sale", **more):
    return row("ann", at, kind=kind, channel="email", thread_id=thread, action_id=action, **more)


ANN = [
    message(2, thread="m1"),
    message(3, "open", thread="m1"),
    message(3, "open", thread="m1", opens_thread=False),
    message(10, thread="m2", action="news"),
    message(26, thread="m3"),
    message(26.25, "click", thread="m3"),
    message(28, thread="m4", action="news"),
]


def of(rows, as_of, fitted=FITTED):
    (features,) = compute(table(rows), [day(as_of)], CONFIG, fitted).to_pylist()
    return {name.removeprefix("response__"): value for name, value in features.items()}


def test_rates_lean_on_the_brands_own():
    ann = of(ANN, 31)  # FITTED: of the brand's messages a quarter are opened, a tenth clicked
    assert ann["open_rate__30d"] == np.float32((1 + 5 * 0.25) / (4 + 5))
    assert ann["open_rate__7d"] == np.float32((0 + 5 * 0.25) / (2 + 5))
    assert ann["click_rate__7d"] == np.float32((1 + 5 * 0.1) / (2 + 5))
    assert ann["email_open_rate__30d"] == np.float32((1 + 5 * 0.5) / (4 + 5))


def test_without_messages_a_rate_is_the_brands_own():
    bob = of([row("bob", 2, kind="view")], 31)
    assert bob["open_rate__30d"] == np.float32(0.25)
    assert bob["email_open_rate__30d"] == np.float32(0.5)
    assert bob["contacts_since_answer"] == 0
    assert np.isnan(
        [bob["days_since_answer"], bob["days_since_email_contact"], bob["hours_to_answer__30d"]]
    ).all()


def test_messages_and_rates_by_channel_and_action():
    ann = of(ANN, 31)
    assert ann["email_sends__30d"] == 4
    assert [ann["sends_of_sale__30d"], ann["sends_of_news__30d"]] == [2, 2]
    assert ann["click_rate_of_sale__30d"] == np.float32((1 + 5 * 0.2) / (2 + 5))
    assert not any("rate_of_news" in name for name in ann)  # the brand never had an answer to it


def test_contacts_since_the_last_answer_and_days_since_both():
    ann = of(ANN, 31)
    assert ann["days_since_email_contact"] == 3
    assert ann["days_since_answer"] == 4.75
    assert ann["contacts_since_answer"] == 1
    assert of(ANN, 26)["contacts_since_answer"] == 2  # as of day 26: m2 and m3 came after the open of m1
    assert of([message(2), message(4, thread="m2")], 31)["contacts_since_answer"] == 2


def test_hours_from_a_message_to_its_answers():
    assert of(ANN, 31)["hours_to_answer__30d"] == 15  # 24 for the open, 6 for the click
    assert np.isnan(of([message(3, "open", thread="unseen")], 31)["hours_to_answer__30d"])


def test_an_answer_known_late_counts_from_then_on():
    rows = [message(2), message(3, "open", known_at=20), message(10, thread="m2")]
    assert of(rows, 15)["contacts_since_answer"] == 2
    assert of(rows, 25)["contacts_since_answer"] == 1
    assert of(rows, 25)["open_rate__30d"] == np.float32((1 + 1.25) / (2 + 5))


def test_a_brand_that_sent_nothing_has_no_such_features():
    assert feature_names(CONFIG, replace(FITTED, levels={"kind": ("purchase",)})) == []


def test_what_is_redeemed_without_an_action_is_fitted_an_order_where_the_brand_sends_coupons_as_well():
    own = [row("bob", 2), row("bob", 5), row("bob", 6, "redeem"), row("bob", 7, "redeem", opens_thread=False)]
    assert "redeem:unasked" not in fit_tables(CONFIG, [table(own)], day(31)).means
    both = [*own, message(8, "redeem", thread="m1")]
    assert fit_tables(CONFIG, [table(both)], day(31)).means["redeem:unasked"] == 0.5


def test_the_brands_rates_are_fitted_on_threads_visible_by_then():
    fitted = fit_tables(CONFIG, [table(ANN)], day(20))  # two messages, one open
    assert fitted.means["open"] == 0.5
    assert fitted.means["open:email"] == 0.5
    assert fitted.means["open:action:sale"] == 1.0
    assert "open:action:news" not in fitted.means
    assert "click:email" not in fitted.means
    assert fitted.levels["sent:action_id"] == ("news", "sale")
    later = fit_tables(CONFIG, [table(ANN)], day(31))
    assert later.means["click"] == pytest.approx(1 / 4)
