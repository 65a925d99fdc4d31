"""How well the brand knows a customer, worked by hand."""

import numpy as np

from features.rows import row
from features.typed_tables import LEVELS, features, history, link

ROWS = [row("ann", 1, source="web"), row("ann", 2, source="web"), row("ann", 6, source="till", known_at=9)]
TIED = [link("ann", "cookie", 1), link("ann", "cookie", 3, 20), link("ann", "card", 9)]


def known(as_of, tied=TIED):
    (found,) = features("identity", history(ROWS, (), tied), [as_of], LEVELS)
    return found


def test_silos_identifiers_and_types_grow_as_they_become_known():
    names = ("silos", "identifiers", "types", "cookie_identifiers", "card_identifiers")
    assert [known(2)[name] for name in names] == [1, 1, 1, 1, 0]
    assert [known(8)[name] for name in names] == [1, 2, 1, 2, 0]
    assert [known(9)[name] for name in names] == [2, 3, 2, 2, 1]


def test_an_identifier_that_is_no_longer_the_customers_is_taken_off_from_then_on():
    assert known(19)["cookie_identifiers"] == 2
    assert known(20)["cookie_identifiers"] == 1
    assert known(20)["identifiers"] == 2


def test_what_was_tied_lately_does_not_count_what_was_untied():
    assert [known(21)[f"tied__{days}d"] for days in (7, 30)] == [0, 3]
    assert [known(9)[f"tied__{days}d"] for days in (7, 30)] == [2, 3]
    assert known(21)["days_since_tied"] == 12


def test_without_an_identifier_counts_are_0_and_days_missing():
    nothing = known(9, [])
    assert nothing["identifiers"] == nothing["types"] == nothing["tied__7d"] == 0
    assert np.isnan(nothing["days_since_tied"])


def test_a_brand_without_a_crosswalk_has_no_columns():
    (found,) = features("identity", history(ROWS), [9], {})
    assert set(found) == {"customer_id", "as_of"}
