"""What features take from the past of all: what it holds, and that nothing later moves it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.rows import AS_OFS, day, histories, interactions, row, table
from sintonia.core.config import FeaturesConfig
from sintonia.core.errors import InputError
from sintonia.features.fitted import Fitted
from sintonia.features.fitting import fit_tables

CONFIG = FeaturesConfig(families=["channel_mix"], windows_days=[7], top_k=2)
ROWS = [
    row("ann", 1, channel="web", category="tea"),
    row("ann", 2, channel="web", category="jam", kind="view"),
    row("ann", 3, channel="store", category="cake"),
    row("bob", 3, channel="app", category="tea", known_at=9),
    row("bob", 4, channel=None, category="jam", known_at=4),
    row("bob", 8, channel="phone"),
]


def test_levels_are_those_visible_by_then_the_most_frequent_first_and_of_equals_by_their_letters():
    fitted = fit_tables(CONFIG, [table(ROWS)], day(5))
    assert fitted.until == day(5)
    assert fitted.levels["channel"] == ("web", "store")
    assert fitted.levels["kind"] == ("purchase", "view")
    assert fit_tables(CONFIG, [table(ROWS)], day(9)).levels["channel"] == ("web", "app", "phone", "store")


def test_of_categories_and_actions_the_most_frequent_few_are_levels():
    assert fit_tables(CONFIG, [table(ROWS)], day(5)).levels["category"] == ("jam", "cake")
    assert fit_tables(CONFIG, [table(ROWS)], day(5)).levels["action_id"] == ()


def test_before_the_first_interaction_there_is_nothing_to_fit():
    assert fit_tables(CONFIG, [table(ROWS), table([])], day(0)).levels["kind"] == ()


def test_it_survives_json_and_says_when_it_cannot_be_read():
    fitted = fit_tables(CONFIG, [table(ROWS)], day(5))
    assert Fitted.from_plain(json.loads(json.dumps(fitted.as_plain()))) == fitted
    with pytest.raises(
        InputError, match=r"^Cannot read what the features were fitted to \(.*\); train again\."
    ):
        Fitted.from_plain({"until": "2025-01-01"})


@settings(max_examples=40, deadline=None)
@given(histories, st.lists(interactions(), max_size=10), st.sampled_from(AS_OFS))
def test_law_1_what_is_not_visible_by_then_changes_nothing_and_neither_does_the_cut_into_tables(
    rows, others, until
):
    visible = [one for one in rows if max(one["occurred_at"], one["known_at"]) <= until]
    later = [one for one in others if max(one["occurred_at"], one["known_at"]) > until]
    cut = [table(visible[::2]), table(later), table(visible[1::2])]
    assert fit_tables(CONFIG, cut, until) == fit_tables(CONFIG, [table(rows)], until)
