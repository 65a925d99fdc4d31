"""Terms that can be computed together are, and a row's class tells every filter it meets."""

import numpy as np

from sintonia.features.combine import ratio
from sintonia.features.kernel.filters import filter_groups
from sintonia.features.kernel.plan import plan
from sintonia.features.measures import Among, DaysSince, Distinct, Feature, Filter, Gap, Total, Value

PURCHASE = Filter(kind="purchase")
ORDER = Filter(kind="purchase", opens_thread=True)


def planned(*terms):
    return plan([Feature("test", f"t{i}", "", "", (term,)) for i, term in enumerate(terms)])


def test_a_total_wanted_twice_or_over_several_windows_is_summed_once():
    found = planned(Total(PURCHASE, "amount", 7), Total(PURCHASE, "amount", 30), Total(PURCHASE, "amount", 7))
    assert (found.totals.n_accumulators, found.n_whole) == (1, 0)
    assert found.totals.features.tolist() == [[0, 0, 0], [0, 0, 2], [0, 1, 1]]  # they are the features


def test_a_total_that_is_a_feature_and_part_of_another_is_summed_once_for_both():
    week, month = Total(PURCHASE, "amount", 7), Total(PURCHASE, "amount", 30)
    pair = Feature("test", "pair", "", "", (week, month), ratio)
    found = plan([Feature("test", "week", "", "", (week,)), pair])
    assert (found.totals.n_accumulators, found.n_whole) == (1, 2)
    assert found.totals.features.tolist() == [[0, 0, 0]]
    assert found.totals.terms.tolist() == [[0, 0, 0], [0, 1, 1]]
    assert found.combinations == ((1, ratio, ((0, 0), (0, 1))),)


def test_totals_of_what_looks_back_along_the_rows_are_summed_apart_and_ask_for_time_s_order():
    gaps = Total(PURCHASE, Gap(ORDER), 7)
    found = planned(gaps, Total(Filter(having=(Gap(ORDER),)), None, 7), Total(PURCHASE, None, 7))
    assert (found.totals.n_accumulators, found.sequels.n_accumulators, found.in_time) == (1, 2, True)
    assert not planned(Total(PURCHASE, None, 7)).in_time


def test_windows_come_the_shortest_first_and_all_of_time_last():
    assert planned(Total(PURCHASE), Total(PURCHASE, None, 30), Total(ORDER, None, 7)).windows_days == (
        7,
        30,
        None,
    )


def test_values_at_positions_of_one_filter_are_requested_together():
    planned_positions = planned(DaysSince(ORDER), DaysSince(ORDER, -3), Value(ORDER, "amount", 1)).positions
    [group] = planned_positions.groups
    assert [requests.tolist() for requests in group.requests] == [[[-1, -1, 0], [-3, -1, 1], [1, 0, 2]]]


def test_distinct_texts_over_nested_windows_are_counted_in_one_walk():
    [(term, windows, _)] = planned(*(Distinct(PURCHASE, "category", days) for days in (30, 7))).distinct
    assert term == Distinct(PURCHASE, "category")
    assert windows.tolist() == [[0, 1], [1, 0]]


def test_only_what_the_terms_read_is_read():
    found = planned(Total(Filter(channel="web", having=("discount > 0",)), Gap(ORDER, same="category")))
    assert found.columns == ("category", "channel", "discount", "kind", "occurred_at", "opens_thread")


def test_one_look_up_tells_every_filter_a_row_meets():
    web, view, both, night = (
        Filter(channel="web"),
        Filter(kind=("view", "search")),
        Filter("web", "view"),
        Filter(having=(Among("local_hour", (0, 1)),)),
    )
    [found] = filter_groups([web, view, both, night, Filter()])
    shape = [len(axis) for axis in found.axes]
    assert sorted(shape) == [2, 3, 3]  # web or not; search, view or not; 0, 1 or another hour
    counts = dict(zip(found.filters, np.count_nonzero(found.meets, axis=1), strict=True))
    assert counts == {web: 9, view: 12, both: 3, night: 12, Filter(): 18}


def test_filters_of_too_many_columns_for_one_table_are_told_apart_by_several():
    flags = [Filter(having=(f"amount > {i}",)) for i in range(30)]
    found = filter_groups(flags)
    assert len(found) > 1
    assert sum(len(group.filters) for group in found) == 30
    assert all(group.meets.shape[1] <= 4096 for group in found)
