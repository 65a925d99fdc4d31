"""Who a customer is, worked by hand: as of any date, and never from what came later."""

import numpy as np
import pytest

from features.rows import day, row, table
from features.typed_tables import LEVELS, attribute, attributes, features, history
from sintonia.core.config import FeaturesConfig
from sintonia.core.errors import InputError
from sintonia.features import Fitted, History, catalogue, compute


def profile(told, as_of, rows=None, levels=LEVELS):
    (found,) = features("profile", history(rows or [row("ann", 1, kind="view")], told), [as_of], levels)
    return found


def test_nothing_known_is_missing_and_silence_is_no():
    found = profile([], 31)
    assert found["tenure"] == 30
    assert found["consent_email"] == found["consent_sms"] == 0
    others = set(found) - {"customer_id", "as_of", "tenure", "consent_email", "consent_sms"}
    assert "region_is_lazio" in others
    assert np.isnan([found[name] for name in others]).all()


def test_age_and_generation_from_the_birth_year():
    found = profile([attribute("ann", "birth_year", "1965", 5)], 182.5)  # the middle of 2025
    assert found["age"] == pytest.approx(60, abs=0.01)
    assert (found["generation_x"], found["generation_boomer"]) == (1, 0)


def test_a_birth_year_nobody_can_have_counts_as_unsaid_and_leaves_the_one_before():
    impossible = [attribute("ann", "birth_year", year, 6) for year in ("1900", "2024", "2090", "?", "")]
    assert np.isnan(profile(impossible, 31)["age"])
    before = profile([attribute("ann", "birth_year", "1950", 5), *impossible], 31)
    assert before["age"] == pytest.approx(74.6, abs=0.05)
    assert before["generation_boomer"] == 1


def test_the_latest_value_of_an_attribute_has_its_column_and_an_uncommon_one_is_rare():
    told = [attribute("ann", "region", "Lazio", 2), attribute("ann", "region", "Emilia Romagna", 9)]
    names = [f"region_is_{name}" for name in ("lazio", "emilia_romagna", "rare")]
    assert [profile(told, 8)[name] for name in names] == [1, 0, 0]
    assert [profile(told, 9)[name] for name in names] == [0, 1, 0]
    assert [profile([*told, attribute("ann", "region", "Molise", 10)], 11)[name] for name in names] == [
        0,
        0,
        1,
    ]


def test_an_older_value_that_is_known_late_does_not_replace_a_newer_one():
    told = [attribute("ann", "tier", "gold", 9), attribute("ann", "tier", "basic", 2, known_at=20)]
    assert profile(told, 31)["tier_is_gold"] == 1
    assert np.isnan(profile([attribute("ann", "tier", "gold", 9, known_at=20)], 19)["tier_is_gold"])
    assert profile([attribute("ann", "tier", "gold", 9, known_at=20)], 20)["tier_is_gold"] == 1


def test_days_since_an_attribute_became_another():
    told = [
        attribute("ann", "tier", "basic", 2),
        attribute("ann", "tier", "basic", 5),
        attribute("ann", "tier", "gold", 9),
    ]
    assert np.isnan(profile(told[:2], 31)["days_since_tier_changed"])
    assert profile([*told, attribute("ann", "tier", "gold", 12)], 31)["days_since_tier_changed"] == 22
    assert "days_since_region_changed" not in profile(told, 31)


def test_a_number_is_the_latest_with_its_fractions_and_a_slip_is_missing():
    told = [attribute("ann", "household", "3", 2), attribute("ann", "household", "-2.125", 3)]
    assert profile(told, 2)["household"] == 3
    assert profile(told, 4)["household"] == -2.125
    assert np.isnan(profile([*told, attribute("ann", "household", "four", 4)], 5)["household"])


def test_the_latest_consent_wins_and_its_days_count_while_it_is_a_yes():
    told = [attribute("ann", "consent_email", "Yes", 2), attribute("ann", "consent_email", "no", 9)]
    assert [profile(told, 8)[f"{which}consent_email"] for which in ("", "days_since_")] == [1, 6]
    assert profile(told, 9)["consent_email"] == 0
    assert np.isnan(profile(told, 9)["days_since_consent_email"])
    again = [*told, attribute("ann", "consent_email", "true", 12)]
    assert profile(again, 14)["days_since_consent_email"] == 2


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_answers_at_one_moment_the_stricter_wins_in_any_order(order):
    told = [attribute("ann", "consent_sms", "yes", 3, known_at=4), attribute("ann", "consent_sms", "no", 3)]
    assert profile(told[::order], 5)["consent_sms"] == 0


def test_an_unsubscribe_takes_a_yes_back_on_its_channel():
    told = [attribute("ann", f"consent_{channel}", "yes", 2) for channel in ("email", "sms")]
    rows = [row("ann", 1), row("ann", 5, kind="unsubscribe", channel="email", known_at=7)]
    assert [profile(told, at, rows)["consent_email"] for at in (6, 7)] == [1, 0]
    assert profile(told, 9, rows)["consent_sms"] == 1


def test_what_was_known_before_the_first_interaction_counts_from_then_on_and_strangers_have_no_row():
    told = [attribute("ann", "tier", "gold", 1), attribute("zoe", "tier", "gold", 1)]
    found = features("profile", history([row("ann", 10)], told), [5, 12], LEVELS)
    assert [(one["customer_id"], one["as_of"], one["tier_is_gold"]) for one in found] == [("ann", day(12), 1)]


def test_each_customer_has_their_own_attributes_whatever_the_order_of_the_table():
    told = [
        attribute("bob", "tier", "basic", 2),
        attribute("ann", "tier", "gold", 3),
        attribute("bob", "tier", "gold", 1),
    ]
    rows = [row("ann", 1), row("bob", 1), row("cec", 1)]
    for some in (told, told[::-1]):
        found = features("profile", history(rows, some), [5], LEVELS)
        assert [one["tier_is_gold"] for one in found[:2]] == [1, 0]
        assert np.isnan(found[2]["tier_is_gold"])


def test_without_the_table_the_features_say_what_they_need():
    config = FeaturesConfig(families=["profile"], windows_days=[7])
    with pytest.raises(InputError, match="read the table 'attributes', which was not given"):
        compute(table([row("ann", 1)]), [day(2)], config, Fitted(day(1), LEVELS))
    without = compute(table([row("ann", 1)]), [day(2)], config, Fitted(day(1)))
    assert without.column_names == ["customer_id", "as_of", "profile__tenure"]


def test_no_customers_make_an_empty_table_with_all_columns():
    config = FeaturesConfig(families=["profile"], windows_days=[7])
    fitted = Fitted(day(1), LEVELS)
    found = compute(
        History(table([]), attributes([attribute("ann", "tier", "gold", 1)])), [day(2)], config, fitted
    )
    assert found.num_rows == 0
    assert found.column_names[2:] == [feature.name for feature in catalogue(config, fitted)]


def test_an_attribute_may_be_called_as_a_feature_is():
    """Numbers are kept, and the built-in features of the same names stay what they are."""
    levels = {"number": ("tenure", "Age", "Consent email"), "consent": ("email",)}
    told = [
        attribute("ann", "tenure", "12", 5),
        attribute("ann", "Age", "44", 5),
        attribute("ann", "Consent email", "3", 5),
    ]
    found = profile(told, 31, levels=levels)
    assert (found["tenure"], found["tenure_2"]) == (30, 12)
    assert found["age_2"] == 44
    assert (found["consent_email"], found["consent_email_2"]) == (0, 3)


def test_a_value_may_be_called_rare_and_an_attribute_as_a_value_is():
    levels = {"attribute": ("card",), "attribute:card": ("rare", "gold"), "number": ("card_is_gold",)}
    told = [attribute("ann", "card", "rare", 5), attribute("ann", "card_is_gold", "7", 5)]
    found = profile(told, 31, levels=levels)
    named = {name: found[f"card_is_{name}"] for name in ("rare_2", "gold", "rare", "gold_2")}
    assert named == {"rare_2": 1, "gold": 0, "rare": 0, "gold_2": 7}
