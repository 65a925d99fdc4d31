"""What families are built from: levels of a brand, and names of columns for values a silo wrote."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sintonia.features import FamilyContext, Fitted
from sintonia.features.families.context import column_names, habit_windows, levels_present, own_kinds, slugs

FITTED = Fitted(datetime(2025, 1, 1), {"kind": ("view", "send", "purchase", "resolve")}, {"open": 0.25})
CONTEXT = FamilyContext((7, 30, 365), (30,), FITTED)


def test_a_label_has_the_levels_it_was_fitted_with_and_a_rate_its_default():
    assert CONTEXT.levels("channel") == ()
    assert levels_present(CONTEXT, "kind", "purchase", "search", "view") == ("purchase", "view")
    assert (CONTEXT.mean("open", 0.5), CONTEXT.mean("click", 0.5)) == (0.25, 0.5)


def test_kinds_of_the_brand_are_not_the_customers_own():
    assert own_kinds(CONTEXT) == ("purchase", "view")


def test_habits_are_measured_over_the_two_longest_windows():
    assert habit_windows(CONTEXT) == (30, 365)


@pytest.mark.parametrize("names", [slugs, column_names])
@given(values=st.lists(st.text(max_size=8), unique=True, max_size=8))
def test_names_of_columns_are_plain_and_differ(names, values):
    made = names(values)
    assert len(set(made)) == len(values)
    assert all(name and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_") for name in made)
