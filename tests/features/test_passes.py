"""Terms that can be computed together are, and only those."""

from sintonia.features.measures import DaysSince, Filter, Total
from sintonia.features.passes import Pass, passes

PURCHASE = Filter(kind="purchase")
ORDER = Filter(kind="purchase", opens_thread=True)


def test_filters_that_differ_in_one_column_only_share_a_pass():
    (found,) = passes([Total(Filter(channel=name), None, 7) for name in ("web", "app")])
    assert found == Pass("channel", (Filter(channel="app"), Filter(channel="web")), {None: (7,)}, 0, 0)


def test_sums_of_several_columns_over_the_same_filters_share_a_pass():
    (found,) = passes(
        [Total(PURCHASE, "amount", 7), Total(PURCHASE, "amount", 30), Total(PURCHASE, "quantity")]
    )
    assert found.totals == {"amount": (7, 30), "quantity": (None,)}


def test_filters_a_row_can_meet_both_are_in_passes_of_their_own():
    found = passes(
        [Total(Filter()), Total(PURCHASE), Total(ORDER), Total(Filter(channel="web", kind="purchase"))]
    )
    assert [one.planes for one in found] == [
        (Filter(),),
        (PURCHASE,),
        (ORDER,),
        (Filter(channel="web", kind="purchase"),),
    ]


def test_a_column_wanted_of_one_kind_does_not_drag_the_other_kinds_along():
    kinds = [Total(Filter(kind=name)) for name in ("purchase", "view")]
    planes = [one.planes for one in passes([*kinds, Total(PURCHASE, "amount")])]
    assert planes == [(PURCHASE, Filter(kind="view")), (PURCHASE,)]


def test_moments_are_taken_as_deep_as_wanted_from_either_end():
    (found,) = passes([DaysSince(ORDER), DaysSince(ORDER, -3), DaysSince(ORDER, 1)])
    assert (found.newest, found.oldest) == (3, 2)
