"""Rows that end: a newer version or a deletion becomes known, and from then on no feature sees the row."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.rows import AS_OFS, DAY, FITTED, bytes_of, day, histories, interactions, row, table
from features.slow_terms import TERMS, slow_term
from features.typed_tables import attribute, attributes, links
from sintonia.core.config import FeaturesConfig
from sintonia.features import History, catalogue, families
from sintonia.features.kernel.plan import plan
from sintonia.features.measures import Decayed, Feature, Filter, Total
from sintonia.features.table import compute_features, feature_values

ALL = FeaturesConfig(families=list(families.FAMILIES), windows_days=[7, 30])
PLAN = plan([Feature("test", str(i), "", "", (term,)) for i, term in enumerate(TERMS)])
EVERYTHING = plan(
    [*catalogue(ALL, FITTED), *(Feature("test", str(i), "", "", (one,)) for i, one in enumerate(TERMS))]
)
COUNT = [Feature("test", "rows", "", "", (Total(Filter(), None, None),))]
CONSENT = FeaturesConfig(families=["profile"], windows_days=[7])


@st.composite
def versions(draw):
    """Draw one interaction that may end: at once, within days, on the edge of a snapshot, or before it is known."""
    drawn = draw(interactions())
    wait = st.sampled_from([timedelta(microseconds=1), 1 * DAY, 10 * DAY, 30 * DAY, -5 * DAY])
    lasting = st.builds(lambda delay: drawn["known_at"] + delay, wait)
    return drawn | {"known_until": draw(st.none() | lasting | st.sampled_from(AS_OFS))}


ENDING = st.lists(versions(), max_size=40)


def is_visible(one, as_of):
    ends = one["known_until"]
    return max(one["occurred_at"], one["known_at"]) <= as_of and (ends is None or ends > as_of)


def visible_at(rows, as_of):
    """Return the rows visible at a date as rows that never end, in the order of the store."""
    return [one | {"known_until": None} for one in table(rows).to_pylist() if is_visible(one, as_of)]


@settings(max_examples=80, deadline=None)
@given(ENDING, st.sets(st.sampled_from(AS_OFS), min_size=1), st.sampled_from([1, 500, 2**19]))
def test_features_are_those_of_the_rows_that_each_snapshot_sees(rows, as_ofs, cells):
    found = compute_features(table(rows), list(as_ofs), EVERYTHING, cells)
    for as_of in sorted(as_ofs):
        expected = compute_features(table(visible_at(rows, as_of)), [as_of], EVERYTHING)
        assert bytes_of(found, as_of) == bytes_of(expected)
        ids, values = feature_values(table(rows), as_of, EVERYTHING)
        assert ids.to_pylist() == expected["customer_id"].to_pylist()
        columns = [expected[name].to_numpy() for name in EVERYTHING.names]
        np.testing.assert_array_equal(values, np.array(columns).reshape(values.shape))


@settings(max_examples=60, deadline=None)
@given(ENDING, st.sets(st.sampled_from(AS_OFS), min_size=1))
def test_every_kind_of_term_is_what_plain_python_makes_of_the_visible_rows(rows, as_ofs):
    found = compute_features(table(rows), list(as_ofs), PLAN).to_pylist()
    seen = {as_of: visible_at(rows, as_of) for as_of in as_ofs}
    expected_keys = sorted({(one["customer_id"], as_of) for as_of in as_ofs for one in seen[as_of]})
    assert [(one["customer_id"], one["as_of"]) for one in found] == expected_keys
    for one in found:
        visible = [row for row in seen[one["as_of"]] if row["customer_id"] == one["customer_id"]]
        for i, term in enumerate(TERMS):
            expected = np.float32(slow_term(term, visible, one["as_of"]))
            exact = 1e-6 if isinstance(term, Decayed) else 0
            np.testing.assert_allclose(
                one[f"test__{i}"], expected, rtol=exact, atol=exact, err_msg=repr(term)
            )


@settings(max_examples=60, deadline=None)
@given(ENDING, st.lists(versions(), max_size=10), st.sampled_from(AS_OFS), st.randoms())
def test_law_1_versions_and_deletions_known_later_change_no_byte(rows, others, as_of, random):
    later = [one for one in others if max(one["occurred_at"], one["known_at"]) > as_of]
    ended = [
        one | {"known_until": as_of + timedelta(microseconds=random.choice([1, 10**9]))}
        if one["known_until"] is None and random.random() < 0.5
        else one
        for one in rows
    ]
    before = bytes_of(compute_features(table(rows), [as_of], EVERYTHING))
    assert bytes_of(compute_features(table(ended + later), AS_OFS, EVERYTHING), as_of) == before


@settings(max_examples=20, deadline=None)
@given(histories)
def test_without_an_end_the_column_changes_no_byte(rows):
    without = table(rows).drop_columns(["known_until"])
    assert bytes_of(compute_features(table(rows), AS_OFS, EVERYTHING)) == bytes_of(
        compute_features(without, AS_OFS, EVERYTHING)
    )


def test_a_row_counts_until_the_as_of_at_which_its_end_is_known():
    rows = [row("ann", 1), row("ann", 3, known_until=day(5)), row("ann", 3, known_at=5)]
    found = compute_features(table(rows), [day(at) for at in (2, 4, 5)], COUNT)
    assert found["test__rows"].to_pylist() == [1, 2, 2]


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_customer_whose_rows_are_all_deleted_has_no_row_until_the_next(shuffled):
    rows = table([row("ann", 2, known_until=day(4)), row("ann", 6), row("bob", 1)])
    rows = rows.take(pa.array([2, 1, 0])) if shuffled else rows
    found = compute_features(rows, [day(at) for at in (3, 5, 7)], COUNT).to_pylist()
    assert [(one["customer_id"], one["as_of"].day, one["test__rows"]) for one in found] == [
        ("ann", 3, 1),
        ("ann", 7, 1),
        ("bob", 3, 1),
        ("bob", 5, 1),
        ("bob", 7, 1),
    ]


def test_a_row_that_ended_before_it_was_known_never_counts():
    rows = [row("ann", 2, known_at=8, known_until=day(6))]
    assert compute_features(table(rows), [day(7), day(9)], COUNT).num_rows == 0


def test_a_deleted_unsubscribe_withdraws_no_consent():
    rows = [row("ann", 1), row("ann", 2, "unsubscribe", "email", known_until=day(5))]
    given = History(table(rows), attributes([attribute("ann", "consent_email", "yes", 1)]), links([]))
    fitted = replace(FITTED, levels={**FITTED.levels, "consent": ("email",)})
    found = compute_features(given, [day(3), day(6)], catalogue(CONSENT, fitted))
    name = next(name for name in found.column_names if "consent" in name and "email" in name)
    assert found[name].to_pylist() == [0, 1]
